"""Cost and accuracy of one simulated image, every way there is, in one table.

    python scripts/bench_image.py [CANDIDATE] [--exact]

For the manganite's (240, 400) image: CPU-seconds on one thread and wall-clock seconds on one and two, without what is
computed once per instrument (``prepare``); the rms deviation of each tile from a reference, relative to the tile's mean,
over tiles whose mean exceeds 1 % of the brightest tile's; the peak memory of the process so far. The reference is the grid
of eight cells along each side of a bin; how far it is from exactly drawn images is shown for one slice of each incident
energy and 4096 samples, with the error of those. ``--exact`` adds the image without a table (two minutes).
"""

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from insml.instrument_simulation import InstrumentSimulator
from insml.mosaic import Axis, MosaicLayout
from insml.simulation import simulate_stack
from insml.studies import manganite
from insml.study import Study

Array = NDArray[np.float64]

#: Bins of the published layout that are drawn exactly: an arc of both bands passes through them.
_ROWS, _COLUMNS = slice(24, 36), slice(14, 20)


def deviation(stack: Array, reference: Array) -> tuple[float, float]:
    """Median and largest rms / mean of a tile."""
    level = reference.mean(axis=(1, 2))
    bright = level > 0.01 * level.max()
    rms = np.sqrt(((stack - reference) ** 2).mean(axis=(1, 2)))[bright] / level[bright]
    return float(np.median(rms)), float(rms.max())


def timed(run: Callable[[], Array]) -> tuple[Array, float, float]:
    """What it gives, CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    out = run()
    return out, time.process_time() - cpu, time.perf_counter() - wall


def part(study: Study) -> Study:
    """One slice of each Ei, some bins."""
    axes = tuple(Axis(a.label, a.vector, a.edges[s.start:s.stop + 1])
                 for a, s in zip(study.layout.axes, (_ROWS, _COLUMNS), strict=True))
    slices = study.layout.slices[3::10]
    return replace(study, layout=MosaicLayout((axes[0], axes[1]), study.layout.third, slices, (1, len(slices))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("candidate", nargs="?", default="goodenough")
    parser.add_argument("--exact", action="store_true")
    arguments = parser.parse_args()
    study, name = manganite.STUDY, arguments.candidate

    def instrument(threads: int, **options: object) -> Callable[[], Array]:
        return InstrumentSimulator(study, name, threads=threads, **options).stack  # type: ignore[arg-type]

    _, prepare, _ = timed(lambda: instrument(1)() * 0)
    reference = instrument(0, cells=8)()
    few = part(study)
    drawn = [InstrumentSimulator(few, name, evaluation="exact", samples=4096, seed=s).stack() for s in (1, 2)]
    off = deviation(InstrumentSimulator(few, name, cells=8).stack(), 0.5 * (drawn[0] + drawn[1]))[0]
    noise = deviation(drawn[0], drawn[1])[0] / 2
    methods: list[tuple[str, Callable[[int], Callable[[], Array]]]] = [
        ("Gaussian widths", lambda threads: lambda: simulate_stack(study, name, threads=threads)),
        ("covariance, 2 cells", lambda threads: instrument(threads, evaluation="covariance"))]
    methods += [(f"grid, {n} x {n} cells", lambda threads, n=n: instrument(threads, cells=n)) for n in (1, 2, 3, 4)]
    methods += [(f"table, {n} samples", lambda threads, n=n: instrument(threads, samples=n)) for n in (16, 64, 128)]
    if arguments.exact:
        methods.append(("exact, 64 samples", lambda threads: instrument(threads, evaluation="exact")))
    table = Table("method", "CPU s", "wall 1", "wall 2", "rms / mean: median", "largest", "MiB so far",
                  title=f"{study.name}, {name}; prepare and first image {prepare:.2f} CPU s; reference and exact draws: "
                        f"{off:.1%} apart, error of those {noise:.1%}")
    for label, make in methods:
        run = make(1)
        if "exact" not in label:
            run()
        stack, cpu, one = timed(run)
        _, _, two = timed(make(2))
        median, largest = deviation(stack, reference)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        table.add_row(label, f"{cpu:.2f}", f"{one:.2f}", f"{two:.2f}", f"{median:.1%}", f"{largest:.1%}", f"{memory:.0f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
