"""``insml classify INPUT...``: the network's opinion, a line per file."""

from __future__ import annotations

import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from insml.cli.arguments import add_study, add_work

    parser = subparsers.add_parser("classify", help="ask the network which candidate a mosaic shows")
    parser.add_argument("inputs", nargs="+", metavar="INPUT")
    add_study(parser)
    add_work(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from insml.cli.arguments import progress_bars, study
    from insml.inquiry import classify

    question, console = study(args), Console(soft_wrap=True, highlight=False)
    for source in args.inputs:
        with progress_bars(Console(stderr=True)) as progress:
            c = classify(source, question, cache=args.cache, threads=args.threads, progress=progress)
        probabilities = ", ".join(f"{name} {p:.4f}" for name, p in c.probabilities.items())
        kernels = ", ".join(f"{k:.3f}" for k in c.kernels.values())
        known = "in distribution" if c.in_distribution else "OUT OF DISTRIBUTION"
        console.print(f"{source}: {c.winner}  ({probabilities}; kernels {kernels}; {known}, p = {c.ood_p_value:.4f}; "
                      f"{c.network})")
    return 0
