"""Generation and cuts of a large file: pixels per second beside what the machine can read, and beside numpy.

    python scripts/bench_cut.py [--pixels 1e8] [--folder DIR] [--threads 0]

Makes runs of random counts, generates a file of pixels of them, and cuts it. Everything is removed again. Needs about 100
bytes of disk per pixel, and memory for what --memory says of them.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from rich.console import Console
from rich.table import Table

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.io import read_sqw
from insml.sqw import LineProj, Pixels, SphereProj, Sqw
from insml.sqw.cut import accumulated, cut, make_plan

RUN = 5_000_000
ENERGIES = 200
CELL = (4.0, 4.0, 6.0)

GENERATE = """
import sys, resource, time
from insml.crystal.lattice import Lattice
from insml.sqw.generate import generate
start = time.perf_counter()
w = generate(sys.argv[3:], sys.argv[1], lattice=Lattice(4.0, 4.0, 6.0), u=(1, 0, 0), v=(0, 1, 0), threads=int(sys.argv[2]))
print(len(w.pixels), time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def make_run(path: Path, psi: float, pixels: int, seed: int) -> None:
    detectors = pixels // ENERGIES
    rng, where = np.random.default_rng(seed), np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        entry = file.create_group("run")
        entry.attrs["NX_class"] = np.bytes_("NXentry")
        entry["definition"] = np.array([b"NXSPE"])
        for name, value in {"NXSPE_info/fixed_energy": [50.0], "NXSPE_info/psi": [psi],
                            "NXSPE_info/ki_over_kf_scaling": np.array([1], np.int32),
                            "data/data": rng.random((detectors, ENERGIES)),
                            "data/error": rng.random((detectors, ENERGIES)),
                            "data/energy": np.linspace(-5.0, 45.0, ENERGIES + 1),
                            "data/polar": where.uniform(3, 60, detectors),
                            "data/azimuthal": where.uniform(-180, 180, detectors),
                            "data/distance": np.full(detectors, 4.0)}.items():
            entry[name] = value


def best(work: Callable[[], object], times: int = 3) -> float:
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def read_bandwidth(values: np.ndarray, threads: int) -> float:
    """Bytes per second at which threads read an array."""
    flat = values.reshape(-1)
    parts = np.array_split(flat[:flat.size // 2 * 2].view(np.uint64), threads)

    def work() -> None:
        every = [threading.Thread(target=np.max, args=(part,)) for part in parts]
        for one in every:
            one.start()
        for one in every:
            one.join()

    return values.nbytes / best(work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixels", type=float, default=1e8)
    parser.add_argument("--memory", type=float, default=4e7, help="pixels that are cut in memory")
    parser.add_argument("--folder", type=Path, default=None, help="where to make the files")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    threads = args.threads or os.cpu_count() or 1
    console = Console()
    title = f"{args.pixels:g} pixels, {threads} threads"
    table = Table("operation", "seconds", "M pixels/s", "GB/s", "beside", title=title)

    def row(name: str, seconds: float, pixels: int, beside: str = "") -> None:
        table.add_row(name, f"{seconds:.3f}", f"{pixels / seconds / 1e6:.1f}", f"{36 * pixels / seconds / 1e9:.2f}", beside)

    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        count = max(1, round(args.pixels / RUN))
        files = [Path(folder) / f"{n}.nxspe" for n in range(count)]
        for n, path in enumerate(files):
            make_run(path, 90.0 * n / count, min(RUN, int(args.pixels)), n)
        out = Path(folder) / "all.sqw"
        done = subprocess.run([sys.executable, "-c", GENERATE, str(out), str(args.threads), *map(str, files)], check=True,
                              capture_output=True, text=True).stdout.split()
        pixels = int(done[0])
        row("generate", float(done[1]), pixels, f"peak memory {float(done[2]):.0f} MiB")
        for path in files:
            path.unlink()
        measure(out, pixels, args, threads, row)
    console.print(table)
    console.print(f"peak memory of the cuts {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB, "
                  f"{36 * args.memory / 2**20:.0f} of them pixels")


AXES, INFINITE = LineProj((1, 1, 0), (-1, 1, 0)), [-np.inf, np.inf]
WHOLE = {"1-D": (AXES, [-4, 0.02, 4], [-9, 9], [-9, 9], INFINITE),
         "2-D": (AXES, [-4, 0.05, 4], [-9, 9], [-9, 9], [-5, 0.5, 45]),
         "|Q|, E": (SphereProj(), [0, 0.05, 9], [0, 180], [-180, 180], [-5, 0.5, 45])}


def measure(out: Path, pixels: int, args: argparse.Namespace, threads: int, row: Callable[..., None]) -> None:
    w = read_sqw(out)
    assert isinstance(w, Sqw)
    in_memory(w, args, threads, row)
    cat = best(lambda: subprocess.run(f"cat {out} > /dev/null", shell=True, check=True))
    row("cat", cat, pixels)
    for name, arguments in WHOLE.items():
        seconds = best(partial(cut, w, *arguments, keep_pixels=False, threads=args.threads))
        row(f"{name} cut of the warm file, no pixels", seconds, pixels, f"{100 * cat / seconds:.0f} % of cat")
    written = best(partial(write, out.with_name("cut.sqw"), 36 * pixels), 1)
    row("write as much and wait for the disk", written, pixels)
    for name in ("1-D", "2-D"):
        seconds = best(partial(cut, w, *WHOLE[name], filename=out.with_name("cut.sqw"), threads=args.threads), 1)
        row(f"{name} cut to a file, with pixels", seconds, pixels, f"{100 * written / seconds:.0f} % of the disk")
        out.with_name("cut.sqw").unlink()

    def small() -> None:
        cut(read_sqw(out), AXES, [-0.1, 0.1], [-0.1, 0.1], [-0.1, 0.1], [-5, 0.5, 45], threads=args.threads)

    row("small cut, opened anew", best(small), pixels)


def write(path: Path, size: int) -> None:
    """As many bytes of no meaning, to the disk."""
    piece = np.random.default_rng(0).bytes(1 << 24)
    with path.open("wb") as file:
        for _ in range(size // len(piece)):
            file.write(piece)
        os.fsync(file.fileno())
    path.unlink()


def in_memory(w: Sqw, args: argparse.Namespace, threads: int, row: Callable[..., None]) -> None:
    # a stretch of the file in memory, whose bins are no matter to a cut of everything
    values = w.pixels.read(0, int(args.memory))
    held = values.shape[0]
    bandwidth = read_bandwidth(values, threads)
    row(f"read memory, {threads} threads", values.nbytes / bandwidth, held)
    memory = replace(w, pixels=Pixels(values))
    for name, arguments in WHOLE.items():
        plan = replace(make_plan(w, arguments[0], arguments[1:]), ranges=None)
        seconds = best(partial(accumulated, memory, plan, args.threads))
        share = 100 * values.nbytes / seconds / bandwidth
        row(f"{name} cut in memory, no pixels", seconds, held, f"{share:.0f} % of reading")
    some = values[:2_000_000]
    cell = Lattice(*CELL)
    inverse = np.linalg.inv(AXES.frame(cell).momenta) @ np.linalg.inv(Orientation(cell, (1, 0, 0), (0, 1, 0)).b)

    def by_numpy() -> None:
        x = some[:, :3].astype(float) @ inverse.T
        inside = (np.abs(x[:, 1]) <= 9) & (np.abs(x[:, 2]) <= 9)
        edges = [np.linspace(-4.025, 4.025, 162), np.linspace(-5.25, 45.25, 102)]
        for weights in (None, some[inside, 7], some[inside, 8]):
            np.histogramdd((x[inside, 0], some[inside, 3]), edges, weights=weights)

    slow = best(by_numpy, 1) / len(some)
    plan = replace(make_plan(w, WHOLE["2-D"][0], WHOLE["2-D"][1:]), ranges=None)
    fast = best(lambda: accumulated(memory, plan, args.threads)) / held
    row("2-D cut by numpy.histogramdd", slow * len(some), len(some), f"ours {slow / fast:.0f} times faster")


if __name__ == "__main__":
    main()
