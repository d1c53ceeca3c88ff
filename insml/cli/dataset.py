"""``insml dataset STUDY``: simulated images of all candidates, for training and tests."""

from __future__ import annotations

import argparse
from pathlib import Path

from insml.errors import InsmlError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from insml.cli.arguments import add_jobs

    parser = subparsers.add_parser("dataset", help="simulate a data set", description="Images of every candidate of a "
                                   "study through its resolution, with parameters drawn from the priors where the "
                                   "structure is stable. Stopped and called again it goes on where it was.")
    parser.add_argument("study", metavar="STUDY", help="study file (TOML) or the name of one that comes with insml")
    parser.add_argument("--n", type=int, required=True, help="images of each candidate")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--as-stated", action="store_true", help="mosaic, alignment and pulses as the study states them, "
                        "rather than drawn for each image")
    parser.add_argument("--near", type=float, metavar="SIGMAS", help="parameters within so many errors of the references "
                        "in the study, rather than from the priors")
    parser.add_argument("--shard", metavar="I/N", help="only every N-th shard, from the I-th (from 0); machines that see "
                        "one folder may take one share each")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="0 (default): one per core")
    add_jobs(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from insml.cli.arguments import executor, progress_bars, study
    from insml.datasets.shards import DataSet, DataSetPlan, simulate_set

    plan = DataSetPlan(study(args), args.n, args.seed, nuisances=not args.as_stated, near=args.near)
    with progress_bars(Console(stderr=True)) as told:
        made = simulate_set(plan, args.out, executor=executor(args), share=_share(args.shard), threads=args.threads,
                            progress=told)
    if any(not (args.out / f"{n:05d}.json").exists() for n in range(plan.shards)):
        print(f"{args.out}: {made} shards made, others are missing")
        return 0
    accepted = ", ".join(f"{name} {share:.1%}" for name, share in DataSet.open(args.out).acceptance.items())
    print(f"{args.out}: {plan.images} images in {plan.shards} shards, {made} made now; stable draws: {accepted}")
    return 0


def _share(text: str | None) -> tuple[int, int]:
    if text is None:
        return 0, 1
    first, _, second = text.partition("/")
    if not (first.isdecimal() and second.isdecimal()):
        raise InsmlError(f"--shard: expected I/N, found {text!r}")
    return int(first), int(second)
