"""``insml fit INPUT CANDIDATE``: least-squares parameters of one candidate."""

from __future__ import annotations

import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from insml.cli.arguments import add_study

    parser = subparsers.add_parser("fit", help="refine one candidate's parameters")
    parser.add_argument("input", metavar="INPUT")
    parser.add_argument("candidate", metavar="CANDIDATE")
    add_study(parser)
    parser.add_argument("--seed", type=int, default=0, help="of the starting points")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="0 (default): one per core")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from insml.cli.arguments import progress_bars, study
    from insml.inquiry import fit

    question, console = study(args), Console(soft_wrap=True, highlight=False)
    with progress_bars(Console(stderr=True)) as progress:
        f = fit(args.input, args.candidate, question, seed=args.seed, threads=args.threads, progress=progress)
    for name, value in f.parameters.items():
        edge = "   on the edge of the prior" if name in f.at_bound else ""
        console.print(f"{name:>10} = {value:10.4f} +- {f.errors[name]:.4f} meV{edge}")
    console.print(f"reduced chi2 {f.reduced_chi2:.4f} ({f.dof} degrees of freedom); {f.message}")
    return 0
