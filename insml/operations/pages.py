"""Pixels a page at a time: what gives them other values, or leaves some of them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import GeometryError
from insml.io.atomic import atomic_path
from insml.sqw.cut import Progress, of_sums, write_arranged
from insml.sqw.data import Sqw
from insml.sqw.image import Dnd
from insml.sqw.pixels import BYTES, COLUMNS, Pixels

#: Pixels of a page.
PAGE = 1 << 20
#: Bytes of pixels that an operation without a file name may hold.
MEMORY = 8 << 30


@dataclass(frozen=True, eq=False)
class Page:
    """Pixels ``first`` and following of all: (m, 9), a copy that may be changed, and (m,) the bin of each, the first axis
    fastest."""

    first: int
    pixels: NDArray[np.float32]
    bins: NDArray[np.intp]


#: Gives which pixels of a page stay; may change their values in place.
Change = Callable[[Page], NDArray[np.bool_] | None]


def pages(data: Sqw, wanted: NDArray[np.bool_] | None = None) -> Iterator[Page]:
    """All pixels in their order. ``wanted``: (bins,) of which pages may hold none but others."""
    ends = np.cumsum(data.counted.astype(np.int64))
    for first in range(0, len(data.pixels), PAGE):
        last = min(first + PAGE, len(data.pixels))
        low, high = np.searchsorted(ends, [first, last - 1], side="right")
        if wanted is not None and not wanted[low : high + 1].any():
            continue
        inside = np.minimum(ends[low : high + 1], last) - np.maximum(np.append(ends[low - 1] if low else 0,
                                                                             ends[low:high]), first)
        yield Page(first, data.pixels.read(first, last).copy(), np.repeat(np.arange(low, high + 1), inside))


def rewritten(data: Sqw, change: Change | None = None, *, frame: Dnd | None = None, places: NDArray[np.intp] | None = None,
              filename: str | Path | None = None, progress: Progress | None = None) -> Sqw:
    """Data with other pixels in the same order, and the image of them.

    Parameters
    ----------
    change : of a page of pixels. frame : the image whose bins pixels go to, the data's own where None; ``places``: (bins of
        data,) ascending, which bin of it each becomes, -1 for none.
    filename : write a file (version 4) and give the data from there, whatever their size.
    progress : called with what is done, how many pixels of it, and of how many.

    Raises
    ------
    GeometryError : too many pixels to hold, and no file name.
    """
    image = data.image if frame is None else frame
    made = replace(data, image=replace(image, load=_nothing, filename="", filepath=""), filename="", filepath="")
    total = int(data.counted.sum() if places is None else data.counted[places >= 0].sum())

    def changed() -> Iterator[tuple[NDArray[np.float32], NDArray[np.intp]]]:
        for page in pages(data, None if places is None else places >= 0):
            if progress is not None:
                progress("changing pixels", page.first, len(data.pixels))
            bins = page.bins if places is None else places[page.bins]
            keep = bins >= 0
            found = None if change is None else change(page)
            if found is not None:
                keep &= found
            yield (page.pixels, bins) if keep.all() else (page.pixels[keep], bins[keep])

    sums = _Sums(image.axes.bins)
    if filename is None:
        if total * BYTES > MEMORY:
            raise GeometryError(f"pixels: expected at most {MEMORY >> 30} GiB without the name of a file to write to, "
                                f"found {total * BYTES / 2**30:.1f} GiB")
        values, count = np.empty((total, len(COLUMNS)), np.float32), 0
        for pixels, bins in changed():
            values[count : count + len(pixels)] = pixels
            count += len(pixels)
            sums.add(pixels, bins)
        return replace(made, image=of_sums(made.image, *sums.values), pixels=Pixels(values[:count]))

    def arrange(out: tuple[Path, int]) -> Any:
        with out[0].open("r+b") as file:
            file.seek(out[1])
            for pixels, bins in changed():
                file.write(np.ascontiguousarray(pixels, "<f4").data)
                sums.add(pixels, bins)
        return sums.values

    return write_arranged(made, Path(filename), atomic_path(filename), arrange)


class _Sums:
    """Of signal, variance and number in each bin."""

    def __init__(self, bins: int) -> None:
        self._signal, self._variance, self._npix = np.zeros(bins), np.zeros(bins), np.zeros(bins, np.uint64)

    def add(self, pixels: NDArray[np.float32], bins: NDArray[np.intp]) -> None:
        if not len(bins):
            return
        # bins ascend: a page touches one stretch of them
        low, high = int(bins[0]), int(bins[-1]) + 1
        for sums, weights in ((self._signal, pixels[:, 7]), (self._variance, pixels[:, 8])):
            sums[low:high] += np.bincount(bins - low, weights.astype(float))
        self._npix[low:high] += np.bincount(bins - low).astype(np.uint64)

    @property
    def values(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint64]]:
        return self._signal, self._variance, self._npix


def _nothing() -> Any:
    raise AssertionError("an image that is not made yet")
