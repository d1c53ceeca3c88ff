"""``insml report [INPUT...]``: which model is right, with which parameters, and how sure are we?"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from insml.cli.arguments import add_network, add_study, add_work

    parser = subparsers.add_parser(
        "report", help="answer a study's question from measured data",
        description="Fit every candidate of a study to each input, ask the network, and write a report. Without INPUT: "
                    "a simulated, noisy example of the manganite.")
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help="mosaic (.nxs or .npy) or Mantid MDHisto")
    add_study(parser)
    parser.add_argument("--out", type=Path, default=Path("report"), metavar="DIR", help="default: report")
    parser.add_argument("--seed", type=int, default=0, help="of the fit's starting points")
    add_network(parser)
    parser.add_argument("--no-network", action="store_true", help="fits only")
    add_work(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from insml.cli.arguments import progress_bars, study
    from insml.inquiry import investigate
    from insml.measured import measured_mosaic
    from insml.report import render, write_report
    from insml.studies import example

    question = study(args)
    sources = [Path(i) for i in args.inputs] or [example(question)]
    # read everything before hours are spent on the first
    mosaics = [(source, measured_mosaic(source, question)) for source in sources]
    console, notes = Console(), Console(stderr=True)
    for source, mosaic in mosaics:
        with progress_bars(notes) as progress:
            answer = investigate(mosaic, question, seed=args.seed, network=not args.no_network, model=args.network,
                                 cache=args.cache, threads=args.threads, progress=progress)
        folder = args.out if len(mosaics) == 1 else args.out / source.stem
        console.print(render(answer, question))
        files = write_report(answer, folder, console=notes, study=question)
        console.print(f"written to {folder}: {', '.join(sorted(p.name for p in files.all))}", soft_wrap=True)
    return 0
