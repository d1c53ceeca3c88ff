"""``insml evaluate``: how far the answers of a network can be trusted."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from insml.errors import InsmlError

if TYPE_CHECKING:
    from insml.cli.arguments import Report
    from insml.datasets.shards import DataSet
    from insml.study import Study

#: Of test images and those near the references; no training has them.
_TEST_SEED, _NEAR_SEED = 7001, 7002
_NEAR = 3.0  # errors either side of the references


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from insml.cli.arguments import add_study

    parser = subparsers.add_parser(
        "evaluate", help="put networks on trial",
        description="Accuracy, calibration, detection of strange images and explanations of one network or several on "
                    "simulated images that no training has seen: clean, as measured, near the references, and shifted in "
                    "eight graded ways. Stopped and called again it goes on where it was.")
    add_study(parser)
    parser.add_argument("--network", type=Path, nargs="+", metavar="FILE", help="networks, one per seed, or an ensemble of "
                        "them (default: the one that comes with the study)")
    parser.add_argument("--test", type=Path, metavar="DIR", help="images made by 'insml dataset' with another seed than "
                        "the training's (default: simulated into DIR/test)")
    parser.add_argument("--n", type=int, default=5000, help="images of each candidate where they are simulated "
                        "(default: 5000)")
    parser.add_argument("--near", type=Path, metavar="DIR", help="images of 'insml dataset --near 3' (default: simulated "
                        "into DIR/near where the study states references)")
    parser.add_argument("--near-n", type=int, default=1000, metavar="N", help="of each candidate; 0 for none "
                        "(default: 1000)")
    parser.add_argument("--shifts", default="RCNMBTKS", metavar="LETTERS", help="families of shifts (default: RCNMBTKS, "
                        "all; 'none' for none)")
    parser.add_argument("--shifted", type=int, default=600, metavar="N", help="images of each family and severity "
                        "(default: 600)")
    parser.add_argument("--explained", type=int, default=100, metavar="N", help="images whose explanation is compared with "
                        "the likelihood ratio (default: 100; 0 for none)")
    parser.add_argument("--reproduced", type=int, default=0, metavar="N", help="images of each medium and severe shift "
                        "that are compared with all others of the test: is any like them? (default: 0)")
    parser.add_argument("--coverage", type=Path, metavar="FILE", help="a measured mosaic whose gaps the images get")
    parser.add_argument("--seed", type=int, default=1, help="of noise, masks and shifts (default: 1)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="0 (default): one per core")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from insml.cli.arguments import progress_bars, study
    from insml.extras import need_torch

    need_torch("evaluating a network")
    from insml.evaluate.document import write_evaluation
    from insml.evaluate.evaluation import Trial, evaluate
    from insml.evaluate.terminal import render
    from insml.learn.ensemble import Ensemble, load_network
    from insml.learn.trained import corruption_for, shipped
    from insml.measured import measured_mosaic

    question = study(args)
    if args.network:
        read = [load_network(path) for path in args.network]
        networks = [n for one in read for n in (one.members if isinstance(one, Ensemble) else (one,))]
    else:
        own = shipped(question)
        if own is None:
            raise InsmlError(f"--network: expected one, because none comes with {question.name!r}, found none")
        networks = [own]
    coverage = None if args.coverage is None else measured_mosaic(args.coverage, question).stack_mask
    letters = "" if args.shifts == "none" else args.shifts
    console = Console()
    with progress_bars(Console(stderr=True)) as told:
        test = _images(args.test, args.out / "test", question, args.n, None, args.threads, told)
        near = None
        if args.near is not None or (args.near_n and _has_references(question)):
            near = _images(args.near, args.out / "near", question, args.near_n, _NEAR, args.threads, told)
        trial = Trial(question, networks, test, corruption_for(question, coverage), near, letters, args.shifted,
                      explained=args.explained, reproduced=args.reproduced, seed=args.seed)
        found = evaluate(trial, args.out, threads=args.threads, progress=told)
    console.print(render(found))
    provenance = {"study": f"{question.name} {question.digest[:16]}", "seed": str(args.seed), "test": str(test.plan.seed),
                  **{f"network {n}": p.name for n, p in enumerate(args.network or [])}}
    for path in write_evaluation(found, args.out, provenance):
        console.print(f"written: {path}", soft_wrap=True)
    return 0


def _has_references(study: Study) -> bool:
    return all(p.reference is not None and p.error is not None for c in study.candidates.values() for p in c.parameters)


def _images(given: Path | None, folder: Path, study: Study, n: int, near: float | None, threads: int, told: Report
            ) -> DataSet:
    from insml.datasets.shards import DataSet, DataSetPlan, simulate_set

    if given is not None:
        return DataSet.open(given)
    simulate_set(DataSetPlan(study, n, _TEST_SEED if near is None else _NEAR_SEED, near=near), folder, threads=threads,
                 progress=told)
    return DataSet.open(folder)
