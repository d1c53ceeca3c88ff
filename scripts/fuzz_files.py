"""Mutates a file of Horace again and again: each must be read, or refused with a FormatError.

    python scripts/fuzz_files.py FILE [FILE ...] --count 1000 --seed 0

Mutations: bytes and words changed, mostly in the headers; stretches removed, doubled or filled; truncation. What is read is
looked at whole and cut along its own axes. Another error, a hang or more than a GiB of memory ends with status 1 and leaves
the mutation.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import random
import resource
import struct
import sys
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np

from insml.errors import FormatError, InsmlError, ModelError
from insml.io import open_any
from insml.io.sqw.equipment import instruments_of, samples_of
from insml.sqw import Sqw
from insml.sqw.cut import cut

WORDS = (0, 1, 2, 0xFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 1000, 1_000_000)
DOUBLES = (float("nan"), float("inf"), -1.0, 0.0, 1e300, 1e9)
SECONDS, BYTES = 20, 1 << 30


def mutated(raw: bytes, rng: random.Random) -> bytes:
    data = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 5))):
        size = len(data)
        # headers are at the beginning, and of some versions at the end
        end = rng.choice((64, 1024, 8192, size, size))
        at = rng.randrange(max(1, min(end, size)))
        if rng.random() < 0.2:
            at = max(0, size - 1 - at)
        kind = rng.randrange(7)
        if not data:
            break
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            data[at:at + 4] = struct.pack("<I", rng.choice(WORDS))
        elif kind == 3:
            data[at:at + 8] = struct.pack("<d", rng.choice(DOUBLES))
        elif kind == 4:
            del data[at:at + rng.randrange(1, 64)]
        elif kind == 5:
            data[at:at] = data[at:at + rng.randrange(1, 64)]
        else:
            del data[at:]
    return bytes(data)


def look(path: Path) -> str:
    """"read" or "refused"."""
    try:
        found = open_any(path)
        if isinstance(found, Sqw):
            np.asarray(found.signal).sum()
            with suppress(ModelError):
                instruments_of(found), samples_of(found)
            pixels = found.pixels.read()
            image = cut(found, *[[] for _ in range(found.ndim)], keep_pixels=False)
            assert int(image.npix.sum()) <= len(pixels)
        elif hasattr(found, "npix"):
            np.asarray(found.npix).sum()
        elif hasattr(found, "read"):
            found.read()
    except FormatError:
        return "refused"
    except InsmlError as error:
        # bins of a file that can be read may still not be cut: that is said too
        if "expected" not in str(error):
            raise
        return "refused"
    return "read"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutation, to go on after one")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
    counts = {"read": 0, "refused": 0}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(args.first, args.count):
            source = args.files[number % len(args.files)]
            rng = random.Random(f"{args.seed} {source.name} {number}")
            path = Path(folder) / f"{source.name}-{args.seed}-{number}"
            path.write_bytes(mutated(source.read_bytes(), rng))
            # a hang ends the process with its place, and leaves the file
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            try:
                counts[look(path)] += 1
            except BaseException:
                kept = Path(tempfile.gettempdir()) / f"fuzz-{source.name}-{args.seed}-{number}"
                os.replace(path, kept)
                print(f"{kept}: neither read nor refused", file=sys.stderr)
                raise
            faulthandler.cancel_dump_traceback_later()
            path.unlink()
    print(f"{args.count - args.first} mutations: {counts['read']} read, {counts['refused']} refused")
    return 0


if __name__ == "__main__":
    sys.exit(main())
