"""``insml simulate CANDIDATE``: the mosaic that a candidate predicts, as a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from insml.errors import InsmlError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from insml.cli.arguments import add_study

    parser = subparsers.add_parser("simulate", help="write the mosaic a candidate predicts")
    parser.add_argument("candidate", metavar="CANDIDATE")
    add_study(parser)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=MEV", help="a parameter; those left out take "
                        "their reference values")
    parser.add_argument("--no-resolution", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("mosaic.nxs"), metavar="FILE", help="default: mosaic.nxs")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="0 (default): one per core")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from insml.cli.arguments import study
    from insml.io import write_mosaic
    from insml.simulation import simulate

    question = study(args)
    if args.candidate not in question.candidates:
        raise InsmlError(f"CANDIDATE: expected one of {', '.join(question.candidates)}, found {args.candidate!r}")
    values = question.candidates[args.candidate].reference | dict(_assignment(a) for a in args.set)
    mosaic = simulate(question, args.candidate, values, resolution=not args.no_resolution, threads=args.threads)
    write_mosaic(args.out, mosaic, results={"candidate": args.candidate, "parameters": values})
    print(f"written: {args.out}")
    return 0


def _assignment(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise InsmlError(f"--set: expected NAME=MEV such as J1=10.5, found {text!r}") from None
