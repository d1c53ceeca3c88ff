"""Monte Carlo over measured pixels: cost per sample, memory of many pixels, error of Sobol's points and of random ones.

    python scripts/bench_convolution.py [--millions 32] [--samples 4]

Pixels of one MAPS run come in parts of a million, each with the addresses of its draws, as a reader of files would give
them; only the parts' sums are kept. Cost has to grow linearly in pixels and samples, memory not at all.
"""

import argparse
import resource
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.instruments import Sample, maps
from insml.resolution.convolve import Convolution
from insml.resolution.element import DetectorElement
from insml.resolution.pixels import MeasuredPixels, ResolutionRun

PART = 1_000_000


def s(h: np.ndarray, k: np.ndarray, l: np.ndarray, e: np.ndarray) -> np.ndarray:  # noqa: E741
    return np.asarray(np.exp(-0.5 * ((e - 20 - 8 * np.cos(2 * np.pi * h)) / 3.4) ** 2))


def part(run: ResolutionRun, start: int, count: int) -> MeasuredPixels:
    number = np.arange(start, start + count)
    golden = (number * 0.6180339887498949) % 1
    element = DetectorElement(6.0, 5 + 30 * golden, 7.0 * golden, 0.0254, 0.02)
    return MeasuredPixels([run], np.zeros(count, int), element, 5.0 + 40.0 * ((number * 0.7548776662466927) % 1),
                          np.array(0.5), number.astype(np.uint64))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=int, default=32)
    parser.add_argument("--samples", type=int, default=4)
    arguments = parser.parse_args()
    orientation = Orientation(Lattice(4.0, 4.0, 12.0), (1, 0, 0), (0, 1, 0))
    run = ResolutionRun(maps(60, 250), Sample((0.01, 0.02, 0.01)), orientation)
    console = Console(width=120)
    table = Table("million pixels", "samples", "CPU s", "ns per sample", "MiB at most")
    for millions, samples in ((1, arguments.samples), (1, 4 * arguments.samples), (arguments.millions, arguments.samples)):
        cpu, total = time.process_time(), 0.0
        for start in range(0, millions * PART, PART):
            total += float(Convolution(part(run, start, PART), samples=samples, threads=1).mean(s).sum())
        cpu = time.process_time() - cpu
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        table.add_row(f"{millions}", f"{samples}", f"{cpu:.1f}", f"{1e9 * cpu / (millions * PART * samples):.0f}",
                      f"{memory:.0f}")
    console.print(table)
    pixels = part(run, 0, 2000)
    truth = Convolution(pixels, samples=1 << 13, seed=9).mean(s)
    errors = Table("samples", "Sobol: rms error / mean", "random", "ratio")
    for samples in (4, 16, 64, 256):
        found = [Convolution(pixels, samples=samples, generator=g).mean(s) for g in ("sobol", "random")]
        rms = [float(np.sqrt(((f - truth) ** 2).mean()) / truth.mean()) for f in found]
        errors.add_row(f"{samples}", f"{rms[0]:.2%}", f"{rms[1]:.2%}", f"{rms[1] / rms[0]:.1f}")
    console.print(errors)


if __name__ == "__main__":
    main()
