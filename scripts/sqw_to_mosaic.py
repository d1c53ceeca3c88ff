"""Cuts .sqw files, one for each incident energy, into the mosaic of a study.

    python scripts/sqw_to_mosaic.py STUDY OUT.nxs FILE.sqw [FILE.sqw ...] [--third LO HI]

STUDY is the name of a study that comes with insml (manganite, square_antiferromagnet) or a .toml file. Afterwards
`python -m insml report OUT.nxs --study STUDY` says which model it is.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from insml.errors import InsmlError
from insml.horace import read_sqw
from insml.io import write_mosaic
from insml.pixel_mosaic import mosaic_of_pixels
from insml.study import bundled, load


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("out", type=Path)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--third", nargs=2, type=float, metavar=("LO", "HI"), help="range along the third axis")
    args = parser.parse_args()
    try:
        study = load(args.study) if args.study.endswith(".toml") else bundled(args.study)
        third = None if args.third is None else (args.third[0], args.third[1])
        mosaic = mosaic_of_pixels([read_sqw(f) for f in args.files], study.layout, third_range=third, title=study.name,
                                  source=", ".join(f.name for f in args.files))
        write_mosaic(args.out, mosaic)
    except InsmlError as error:
        print(f"sqw_to_mosaic: error: {error}", file=sys.stderr)
        return 2
    print(f"{args.out}: {mosaic.layout.shape[0]} x {mosaic.layout.shape[1]}, {100 * (~mosaic.mask).mean():.1f} % covered")
    return 0


if __name__ == "__main__":
    sys.exit(main())
