"""``insml explain INPUT``: which slices and pixels made the network answer as it did?"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from insml.cli.arguments import add_network, add_study, add_work

    parser = subparsers.add_parser(
        "explain", help="show what a network's answer rests on",
        description="A map of what made the network prefer its winner to the runner-up, slice by slice in meV, beside the "
                    "log-likelihood ratio of the best fits of the two.")
    parser.add_argument("input", metavar="INPUT", help="as for 'insml classify'")
    add_study(parser)
    add_network(parser)
    parser.add_argument("--method", help="counterfactual (default with fits), cam, grad-cam, grad-cam++, layercam (default "
                        "without fits, and with --layer), integrated-gradients, occlusion or slices")
    parser.add_argument("--layer", help="of the network, such as block2 (default: the finest that tells slices apart)")
    parser.add_argument("--no-fit", action="store_true", help="without fits (minutes), hence without likelihood ratio")
    parser.add_argument("--seed", type=int, default=0, help="of the fits' starting points")
    parser.add_argument("--out", type=Path, metavar="DIR", help="for pictures and JSON (default: the table alone)")
    add_work(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from insml.cli.arguments import progress_bars, study
    from insml.inquiry import account
    from insml.report.account import render_account, write_account

    question, console, notes = study(args), Console(highlight=False), Console(stderr=True)
    with progress_bars(notes) as progress:
        found = account(args.input, question, method=args.method, layer=args.layer, fits=not args.no_fit,
                        model=args.network, seed=args.seed, cache=args.cache, threads=args.threads, progress=progress)
    console.print(render_account(found))
    if args.out is not None:
        files = write_account(found, args.out)
        console.print(f"written to {args.out}: {', '.join(sorted(p.name for p in files))}", soft_wrap=True)
    return 0
