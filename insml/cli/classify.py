"""``insml classify INPUT...``: a network's opinion of each file."""

from __future__ import annotations

import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from insml.cli.arguments import add_network, add_study, add_work

    parser = subparsers.add_parser("classify", help="ask the network which candidate a mosaic shows")
    parser.add_argument("inputs", nargs="+", metavar="INPUT")
    add_study(parser)
    add_network(parser)
    add_work(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object per input, a line each, for scripts")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    import json

    from rich.console import Console

    from insml.cli.arguments import progress_bars, study
    from insml.inquiry import classify
    from insml.report.wording import score

    question = study(args)
    for source in args.inputs:
        with progress_bars(Console(stderr=True)) as progress:
            c = classify(source, question, model=args.network, cache=args.cache, threads=args.threads, progress=progress)
        if args.json:
            print(json.dumps({"input": source, "study": question.name, "orientation": c.orientation, **c.to_dict()},
                             ensure_ascii=False))
            continue
        probabilities = ", ".join(f"{name} {p:.4f}" for name, p in c.probabilities.items())
        kernels = ", ".join(f"{k:.3f}" for k in c.kernels.values())
        known = "in distribution" if c.in_distribution else "OUT OF DISTRIBUTION"
        print(f"{source}: {c.winner}  ({probabilities}; kernels {kernels}; {known}, p = {c.ood_p_value:.4f}, {score(c)})\n"
              f"  network: {c.network}")
    return 0
