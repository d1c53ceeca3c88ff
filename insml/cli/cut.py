"""``insml cut LIST``: cuts from a list in TOML, each written to a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from insml.errors import InsmlError

_EXAMPLE = """
source = "all.sqw"                        # paths are from the folder of this file
projection = { u = [1, 1, 0], v = [-1, 1, 0] }

[[cut]]
out = "w1.sqw"                            # .sqw with pixels; .dnd .nxs .mdhisto.nxs .txt .xye: the image
bins = [[0, 0.05, 1.5], [-0.5, 0.5], [-0.5, 0.5], [5, 30]]

[[cut]]
out = "powder.nxs"
projection = { kind = "sphere" }
bins = [[0, 0.05, 5], [0, 180], [-180, 180], [0, 1, 40]]
symmetry = [{ reflection = [[1, 0, 0], [0, 0, 1]] }]
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from insml.cli.arguments import add_jobs

    parser = subparsers.add_parser("cut", help="make cuts of .sqw files from a list", formatter_class=argparse.
                                   RawDescriptionHelpFormatter, description="Cuts from a list in TOML, each written to a "
                                   f"file of its own:\n{_EXAMPLE}")
    parser.add_argument("list", type=Path, metavar="LIST.toml")
    parser.add_argument("--only", nargs="+", metavar="OUT", help="names of those to make; all where absent")
    add_jobs(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from insml.cli.arguments import executor, progress_bars
    from insml.jobs.batch import read_batch, run_batch

    cuts: list[Any] = read_batch(args.list)
    if args.only:
        names = {c.out.name for c in cuts}
        if unknown := [n for n in args.only if n not in names]:
            raise InsmlError(f"--only: expected some of {', '.join(sorted(names))}, found {', '.join(unknown)}")
        cuts = [c for c in cuts if c.out.name in args.only]
    with progress_bars(Console(stderr=True)) as told:
        counts = run_batch(cuts, executor(args), told)
    for one, pixels in zip(cuts, counts, strict=True):
        print(f"{one.out}: {pixels} pixels")
    return 0
