"""Makes an .sqw file of .nxspe runs, as Horace's gen_sqw does.

    python scripts/nxspe_to_sqw.py OUT.sqw RUN.nxspe [RUN.nxspe ...] --lattice A B C ALPHA BETA GAMMA --u H K L --v H K L
        [--psi DEGREES ...] [--omega DEGREES] [--dpsi DEGREES] [--gl DEGREES] [--gs DEGREES] [--ei MEV] [--grid N]
        [--jobs N --executor slurm --job-option slurm_partition=NAME ...]

psi is that of the files unless it is given, one for all or one for each. Stopped and called again with the same arguments
it goes on where it was. With --jobs the runs are divided among so many, and the file is the same.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from insml.cli.arguments import add_jobs, executor, progress_bars
from insml.crystal.lattice import Lattice
from insml.errors import InsmlError
from insml.jobs import generate_in_jobs
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
    parser.add_argument("--jobs", type=int)
    add_jobs(parser)
    args = parser.parse_args()
    settings = {"lattice": Lattice(*args.lattice), "u": args.u, "v": args.v, "omega": args.omega, "dpsi": args.dpsi,
                "gl": args.gl, "gs": args.gs, "efix": args.ei, "grid": None if args.grid is None else [args.grid] * 4,
                "psi": args.psi[0] if args.psi and len(args.psi) == 1 else args.psi}
    try:
        with progress_bars(Console(stderr=True)) as told:
            if args.jobs is None:
                w = generate(args.runs, args.out, progress=told, **settings)
            else:
                w = generate_in_jobs(args.runs, args.out, jobs=args.jobs, executor=executor(args), progress=told,
                                     **settings)
    except InsmlError as error:
        print(f"nxspe_to_sqw: error: {error}", file=sys.stderr)
        return 2
    print(f"{args.out}: {len(w.pixels)} pixels of {len(w.runs)} runs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
