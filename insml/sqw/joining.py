"""Files of pixels of one grid as one file, bit for bit what would have been written at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from insml import _core
from insml.errors import InsmlError
from insml.io.atomic import atomic_path
from insml.sqw.cut import write_arranged
from insml.sqw.data import Sqw

#: Pixels of a block of the work.
_BLOCK = 1 << 20


def joined(parts: Sequence[Sqw], made: Sqw, target: _core.Target, filename: str | Path, threads: int = 0) -> Sqw:
    """Parts, in their order, in the bins of ``target``.

    Parameters
    ----------
    made : everything that the file is to hold but pixels. target : of the bins that all parts have.

    Raises
    ------
    InsmlError : parts of other bins; a disk that is full.
    """
    generator = _core.Generator(target, threads)
    blocks = [max(1, len(part.pixels) // _BLOCK) for part in parts]
    for part, n in zip(parts, blocks, strict=True):
        before = generator.pixels
        generator.count_pixels(part.pixels.source, n)
        if generator.pixels - before != len(part.pixels):
            raise InsmlError(f"{part.filename or 'part'}: expected {len(part.pixels)} pixels in the bins of the whole, "
                             f"found {generator.pixels - before}")

    def arrange(out: tuple[Path, int]) -> Any:
        generator.start(out)
        for number, (part, n) in enumerate(zip(parts, blocks, strict=True)):
            generator.gather_pixels(number, part.pixels.source, n)
        return generator.finish(out)[:3]

    path = Path(filename)
    return write_arranged(made, path, atomic_path(path), arrange)
