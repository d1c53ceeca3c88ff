"""Makes an .sqw file of .nxspe runs, as Horace's gen_sqw does.

    python scripts/nxspe_to_sqw.py OUT.sqw RUN.nxspe [RUN.nxspe ...] --lattice A B C ALPHA BETA GAMMA --u H K L --v H K L
        [--psi DEGREES ...] [--omega DEGREES] [--dpsi DEGREES] [--gl DEGREES] [--gs DEGREES] [--ei MEV] [--grid N]

psi is that of the files unless it is given, one for all or one for each. Stopped and called again with the same arguments
it goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TaskID

from insml.crystal.lattice import Lattice
from insml.errors import InsmlError
from insml.sqw.generate import generate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--lattice", nargs=6, type=float, required=True)
    parser.add_argument("--u", nargs=3, type=float, required=True)
    parser.add_argument("--v", nargs=3, type=float, required=True)
    parser.add_argument("--psi", nargs="+", type=float)
    for name in ("omega", "dpsi", "gl", "gs"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    parser.add_argument("--ei", type=float)
    parser.add_argument("--grid", type=int)
    args = parser.parse_args()
    psi = args.psi[0] if args.psi and len(args.psi) == 1 else args.psi
    with Progress(console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def told(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=of)
            progress.update(tasks[what], completed=done)

        try:
            w = generate(args.runs, args.out, lattice=Lattice(*args.lattice), u=args.u, v=args.v, psi=psi, omega=args.omega,
                         dpsi=args.dpsi, gl=args.gl, gs=args.gs, efix=args.ei,
                         grid=None if args.grid is None else [args.grid] * 4, progress=told)
        except InsmlError as error:
            print(f"nxspe_to_sqw: error: {error}", file=sys.stderr)
            return 2
    print(f"{args.out}: {len(w.pixels)} pixels of {len(w.runs)} runs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
