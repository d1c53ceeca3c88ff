"""``insml resolution-experiment STUDY``: networks that learnt one resolution, tested on images with another."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "resolution-experiment", help="measure what a wrong resolution does to networks",
        description="Train networks on images of several resolutions, the same number of the same parameters with the same "
                    "noise in each, and test all of them on all. Stopped and called again it goes on where it was.")
    parser.add_argument("study", metavar="STUDY", help="study file (TOML) or the name of one that comes with insml")
    parser.add_argument("--n", type=int, required=True, help="training images of each candidate, in every arm")
    parser.add_argument("--test", type=int, metavar="N", help="test images of each candidate (default: half of --n)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--arms", nargs="+", default=[], metavar="ARM", help="accurate, covariance, coarse, none, half, "
                        "double (default: all that the study can have)")
    parser.add_argument("--networks", nargs="+", default=["slice-stack", "dense", "pooled"], metavar="NAME",
                        help="default: slice-stack dense pooled")
    parser.add_argument("--methods", nargs="+", default=["duq", "duq:preset=paper", "softmax"],
                        metavar="NAME[:OPTION=VALUE,...]", help="default: duq duq:preset=paper softmax")
    parser.add_argument("--augmentation", nargs="+", default=["none", "full"], metavar="KIND", help="none: images without "
                        "noise, as published; full: as 'insml train' has it (default: both)")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="trainings of each cell (default: 5)")
    parser.add_argument("--epochs", type=int, metavar="N", help="instead of the study's")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="0 (default): one per core")
    parser.add_argument("--estimate", action="store_true", help="only say how long it will take")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from insml.cli.arguments import progress_bars, study
    from insml.extras import need_torch

    need_torch("the resolution experiment")
    from insml.evaluate.resolution_experiment import (
        Images,
        Plan,
        estimate,
        render,
        render_cost,
        run_experiment,
        write_result,
    )

    plan = Plan(study(args), args.n, max(1, args.n // 2) if args.test is None else args.test, tuple(args.arms),
                tuple(args.networks), tuple(args.methods), tuple(args.augmentation), args.seeds, args.epochs, args.seed)
    console, notes = Console(), Console(stderr=True)
    with progress_bars(notes) as progress:
        images = Images(plan, args.out, args.threads)
        cost = estimate(images, progress)
    (console if args.estimate else notes).print(render_cost(cost, plan), soft_wrap=True)
    if args.estimate:
        return 0
    with progress_bars(notes) as progress:
        result = run_experiment(plan, args.out, threads=args.threads, progress=progress)
    files = write_result(result, args.out)
    console.print(render(result))
    console.print(f"written to {args.out}: {', '.join(p.name for p in files)}", soft_wrap=True)
    return 0
