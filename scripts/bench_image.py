"""Cost and accuracy of one simulated image, every way there is, in one table.

    python scripts/bench_image.py [CANDIDATE] [--exact]

For the manganite's (240, 400) image: CPU-seconds on one thread and wall-clock seconds on one and two, table included but
not what is computed once per instrument (``prepare``); the rms deviation of each tile from a reference, relative to the
tile's mean, over tiles whose mean exceeds 1 % of the brightest tile's; the peak memory of the process so far. The
reference is the mean of three images of 512 samples with different seeds, whose own error is shown. ``--exact`` adds the
image without a table (five minutes).
"""

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from insml.instrument_simulation import InstrumentSimulator
from insml.simulation import simulate_stack
from insml.studies import manganite

Array = NDArray[np.float64]


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("candidate", nargs="?", default="goodenough")
    parser.add_argument("--exact", action="store_true")
    arguments = parser.parse_args()
    study, name = manganite.STUDY, arguments.candidate

    def instrument(evaluation: str, samples: int, threads: int, seed: int = 0) -> Callable[[], Array]:
        return InstrumentSimulator(study, name, evaluation=evaluation, samples=samples, seed=seed, threads=threads).stack

    _, prepare, _ = timed(lambda: instrument("table", 9, 1) and np.zeros(0))
    parts = [instrument("table", 512, 0, seed)() for seed in (11, 12, 13)]
    reference = np.mean(parts, axis=0)
    noise = deviation(parts[0], 0.5 * (parts[1] + parts[2]))[0] / np.sqrt(4.5)
    methods: list[tuple[str, Callable[[int], Callable[[], Array]]]] = [
        ("Gaussian widths", lambda threads: lambda: simulate_stack(study, name, threads=threads))]
    methods += [(f"table, {n} samples", lambda threads, n=n: instrument("table", n, threads)) for n in (4, 9, 16, 64, 128)]
    if arguments.exact:
        methods.append(("exact, 64 samples", lambda threads: instrument("exact", 64, threads)))
    table = Table("method", "CPU s", "wall 1", "wall 2", "rms / mean: median", "largest", "MiB so far",
                  title=f"{study.name}, {name}; prepare {prepare:.2f} CPU s; error of the reference {noise:.1%}")
    for label, make in methods:
        stack, cpu, one = timed(make(1))
        _, _, two = timed(make(2))
        median, largest = deviation(stack, reference)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        table.add_row(label, f"{cpu:.2f}", f"{one:.2f}", f"{two:.2f}", f"{median:.1%}", f"{largest:.1%}", f"{memory:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
