"""Cost and accuracy of one simulated mosaic against the momentum grid's step.

    python scripts/bench_image.py [STUDY]

CPU-seconds on one thread, wall-clock seconds on one and two, and the rms deviation of each tile from a finer grid (step
1.0) relative to the tile's mean, over tiles whose mean exceeds 1 % of the brightest tile's.
"""

import sys
import time

import numpy as np

from insml.simulation import STEP, simulate_stack
from insml.study import bundled


def main() -> None:
    study = bundled(sys.argv[1] if len(sys.argv) > 1 else "manganite")
    name = next(iter(study.candidates))
    reference = simulate_stack(study, name, step=1.0)
    level = reference.mean(axis=(1, 2))
    bright = level > 0.01 * level.max()
    print(f"{study.name}, {name}; default step {STEP:g}")
    print("step   CPU 1 thread   wall 1   wall 2   rms / mean: median   largest")
    for step in (1.5, 2.0, 2.5, 3.0, 4.0):
        cpu, wall = time.process_time(), time.perf_counter()
        stack = simulate_stack(study, name, step=step, threads=1)
        cpu, one = time.process_time() - cpu, time.perf_counter() - wall
        wall = time.perf_counter()
        simulate_stack(study, name, step=step, threads=2)
        two = time.perf_counter() - wall
        rms = (np.sqrt(((stack - reference) ** 2).mean(axis=(1, 2))) / np.maximum(level, 1e-300))[bright]
        print(f"{step:4.1f}   {cpu:12.2f}   {one:6.2f}   {two:6.2f}   {np.median(rms):18.1e}   {rms.max():7.1e}")


if __name__ == "__main__":
    main()
