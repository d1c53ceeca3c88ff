# ruff: noqa: E402  threads of BLAS are set before numpy is imported
"""Speed of spin wave energies and S_perp (no tensor) against pySpinW's Rust core and against numpy/LAPACK, in one run.

    python scripts/bench_lswt.py [--systems NAME ...] [--q N] [--repeat N] [--json FILE]

All codes get the same wave vectors and must give the same energies and the same S_perp summed over modes. Times are the
best of interleaved rounds and leave out what happens once per model (``set-up``: from matrices to the first spectrum of
insml). CPU time counts all threads; the ratios that are asked for compare CPU time on one thread, those of two threads
wall time, so that they mean something on an idle machine only.

pySpinW is optional: pip install pyspinw==1.1.0b2 (GPL; used here as a benchmark only, nothing of it is part of insml).
Its compiled module is loaded by itself, without the Qt viewer its package imports, in a process of its own for each
number of threads. It is called as its package calls it, but with right-handed local frames, so that its Q is +Q; models
have one spin length, because its on-site term is wrong for several.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy: threads inside 32 x 32 matrices only cost

import argparse
import importlib.machinery
import importlib.metadata
import importlib.util
import json
import multiprocessing
import platform
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from insml import SpinModel
from insml.studies import manganite

Array = NDArray[np.float64]
EYE = np.eye(3)


@dataclass(frozen=True)
class System:
    make: Callable[[], SpinModel]
    required: float
    """Times the speed of pySpinW per CPU-second that insml is to reach."""
    points: int


@dataclass(frozen=True)
class Timing:
    cpu: float
    """Seconds, all threads together."""
    wall: float


# --- systems ---------------------------------------------------------------------------------------------------------

def ferromagnetic_chain() -> SpinModel:
    return SpinModel(lattice_vectors=np.diag([3.0, 8.0, 8.0]), positions=[[0, 0, 0]], spins=[[0, 0, 1.0]],
                     bonds=[(0, 0, (1, 0, 0), -EYE)])


def lattice_antiferromagnet(size: tuple[int, int, int], j1: float, j2: float, jc: float) -> SpinModel:
    """Neel order of a square lattice (or chain, or stacked layers) with one atom, all of it in one magnetic cell."""
    cells = [np.array(c) for c in np.ndindex(*size)]
    index = {tuple(c): i for i, c in enumerate(cells)}
    steps = [((1, 0, 0), j1), ((0, 1, 0), j1), ((1, 1, 0), j2), ((1, -1, 0), j2), ((0, 0, 1), jc)]
    bonds = []
    for c in cells:
        for step, j in steps:
            home, inside = np.divmod(c + step, size)
            if j:
                bonds.append((index[tuple(c)], index[tuple(inside)], home, j * EYE))
    return SpinModel(
        lattice_vectors=np.diag([4.0, 4.0, 6.0]), supercell=size, positions=[c / np.array(size) for c in cells],
        spins=[[0, 0, (-1.0) ** c.sum()] for c in cells], bonds=bonds)


def antiferromagnetic_chain() -> SpinModel:
    return SpinModel(lattice_vectors=np.diag([3.0, 8.0, 8.0]), supercell=(2, 1, 1), positions=[[0, 0, 0], [0.5, 0, 0]],
                     spins=[[0, 0, 1.0], [0, 0, -1.0]], bonds=[(0, 1, (0, 0, 0), EYE), (1, 0, (1, 0, 0), EYE)])


def manganite_model(candidate: str) -> SpinModel:
    chosen = manganite.STUDY.candidates[candidate]
    model = chosen.model(chosen.reference)
    return SpinModel.from_dict({key: value for key, value in model.items() if key != "twins"})


def generic(sites: int) -> SpinModel:
    """Random directions, positions and full 3x3 couplings. Local easy axes make the structure stable; their off-diagonal
    part turns the molecular field of each spin onto the spin, which makes it stationary."""
    rng = np.random.default_rng(sites)
    axes = rng.normal(size=(sites, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    spin, easy = 1.5, 4.0
    bonds, field = [], np.zeros((sites, 3))
    for i in range(sites):
        for step in (1, 2, 5, 7):
            j, coupling = (i + step) % sites, rng.normal(0.0, 0.4, (3, 3))
            bonds.append((i, j, rng.integers(-1, 2, 3), coupling))
            field[i] += spin * coupling @ axes[j]
            field[j] += spin * coupling.T @ axes[i]
    across = field - axes * np.einsum("ia,ia->i", field, axes)[:, None]
    mixed = np.einsum("ia,ib->iab", across, axes)
    anisotropy = -easy * np.einsum("ia,ib->iab", axes, axes) - (mixed + mixed.transpose(0, 2, 1)) / (2 * spin)
    model = SpinModel(lattice_vectors=[[9.1, 0, 0], [1.3, 10.2, 0], [-0.7, 2.1, 11.3]], spins=spin * axes,
                      positions=rng.uniform(size=(sites, 3)), anisotropy=anisotropy, bonds=bonds)
    lowest = np.linalg.eigvalsh(model.core.hamiltonian(rng.uniform(-1, 1, (200, 3)))).min()
    assert lowest > 0.1, f"generic({sites}): not stable, lowest eigenvalue {lowest}"
    return model


SYSTEMS = {
    "chain-fm": System(ferromagnetic_chain, 10, 200000),
    "chain-afm": System(antiferromagnetic_chain, 10, 200000),
    "square-16": System(lambda: lattice_antiferromagnet((4, 4, 1), 1.0, 0.2, 0.0), 20, 6000),
    "goodenough": System(lambda: manganite_model("goodenough"), 40, 6000),
    "dimer": System(lambda: manganite_model("dimer"), 40, 6000),
    "generic-16": System(lambda: generic(16), 4, 6000),
    "layers-32": System(lambda: lattice_antiferromagnet((4, 4, 2), 1.0, 0.2, 0.3), 10, 2000),
    "generic-32": System(lambda: generic(32), 3, 2000),
}


# --- codes -----------------------------------------------------------------------------------------------------------

def local_frames(spins: Array) -> Array:
    """(n, 3, 3) right-handed, columns e1, e2 and the direction of the spin."""
    axis = spins / np.linalg.norm(spins, axis=1, keepdims=True)
    other = np.where(np.abs(axis[:, :1]) < 0.9, [[1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]])
    second = np.cross(axis, other)
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    return np.stack([np.cross(second, axis), second, axis], axis=2)


def directed_bonds(model: SpinModel) -> list[tuple[int, int, Array, Array]]:
    """Both directions of each bond; the anisotropy as a bond of a spin to itself."""
    out = []
    for i, j, dl, J in model.bonds:
        out += [(i, j, dl.astype(float), J), (j, i, -dl.astype(float), J.T)]
    return out + [(i, i, np.zeros(3), 2.0 * A) for i, A in enumerate(model.anisotropy) if A.any()]


class Lapack:
    """Colpa's method, every step over a batch of wave vectors: h is one matrix product of phases and coefficients, T needs
    no solve (T = g L U / sqrt(w) with h = L L^+), and only positive modes and three amplitudes are formed."""

    BATCH = 256

    def __init__(self, model: SpinModel) -> None:
        n = self.n = len(model.spins)
        self.supercell = np.array(model.supercell, float)
        self.basis = 2 * np.pi * np.linalg.inv(model.lattice_vectors).T
        frames, length = local_frames(model.spins), np.linalg.norm(model.spins, axis=1)
        u, eta = frames[..., 0] + 1j * frames[..., 1], frames[..., 2]
        bonds = directed_bonds(model)
        cells = sorted({tuple(dl) for _, _, dl, _ in bonds} | {(0.0, 0.0, 0.0)})
        self.cells, index = np.array(cells), {c: p for p, c in enumerate(cells)}
        h = np.zeros((len(cells), 2 * n, 2 * n), complex)
        for i, j, dl, J in bonds:
            here, back, root = index[tuple(dl)], index[tuple(-dl)], 0.5 * np.sqrt(length[i] * length[j])
            a, b = root * u[i] @ J @ u[j].conj(), root * u[i] @ J @ u[j]
            h[here, i, j] += a
            h[here, n + i, n + j] += a.conj()
            h[here, i, n + j] += b
            h[back, n + j, i] += b.conj()
            onsite = length[j] * eta[i] @ J @ eta[j]
            h[index[0.0, 0.0, 0.0], [i, n + i], [i, n + i]] -= onsite
        self.h = h.reshape(len(cells), -1)
        weight = np.sqrt(length / 2)[:, None] / np.sqrt(self.supercell.prod())
        self.u = np.concatenate([weight * u.conj(), weight * u]).T
        self.positions = model.positions

    def batch(self, q: Array) -> tuple[Array, Array]:
        n, k = self.n, q * self.supercell
        h = (np.exp(2j * np.pi * k @ self.cells.T) @ self.h).reshape(-1, 2 * n, 2 * n)
        L = np.linalg.cholesky(h)
        signed = L.copy()
        signed[:, n:] *= -1.0
        energy, U = np.linalg.eigh(L.conj().transpose(0, 2, 1) @ signed)
        energy = energy[:, n:]
        phase = np.exp(-2j * np.pi * k @ self.positions.T)
        amplitude = ((self.u * np.tile(phase, 2)[:, None]) @ signed @ U[:, :, n:]) / np.sqrt(energy)[:, None]
        hat = q @ self.basis
        hat /= np.linalg.norm(hat, axis=1, keepdims=True)
        along = (hat[:, None] @ amplitude)[:, 0]
        return energy, (np.abs(amplitude) ** 2).sum(axis=1) - np.abs(along) ** 2

    def __call__(self, q: Array) -> tuple[Array, Array]:
        parts = [self.batch(q[s:s + self.BATCH]) for s in range(0, len(q), self.BATCH)]
        return np.concatenate([e for e, _ in parts]), np.concatenate([i for _, i in parts])


def pyspinw_core() -> Any:
    """pySpinW's compiled module; None where it is not installed."""
    package = importlib.util.find_spec("pyspinw")
    folders = (package and package.submodule_search_locations) or []
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        for folder in folders:
            file = Path(folder) / f"rust{suffix}"
            if file.exists():
                loader = importlib.machinery.ExtensionFileLoader("rust", str(file))
                spec = importlib.util.spec_from_loader("rust", loader)
                assert spec is not None
                module = importlib.util.module_from_spec(spec)
                loader.exec_module(module)
                return module
    return None


@cache
def pyspinw_arguments(system: str) -> tuple[Any, dict[str, Any], float, Array]:
    core, model = pyspinw_core(), SYSTEMS[system].make()

    def fortran(a: Array) -> NDArray[np.complex128]:
        return np.array(a, complex, order="F")

    cell = np.array(model.supercell, float)
    arguments = {
        "rotations": [fortran(r) for r in local_frames(model.spins)],
        "magnitudes": np.linalg.norm(model.spins, axis=1),
        "couplings": [core.Coupling(i, j, fortran(J), dl) for i, j, dl, J in directed_bonds(model)],
        "positions": list(model.positions),
        "rlu_to_cart": 2 * np.pi * np.linalg.inv(model.lattice_vectors * cell[:, None]).T,
    }
    return core.spinwave_calculation, arguments, len(model.spins) / cell.prod(), cell


def threads_of_pyspinw(threads: int) -> None:
    os.environ["RAYON_NUM_THREADS"] = str(threads)


def run_pyspinw(system: str, q: Array) -> tuple[Timing, Array, Array]:
    """Timing, positive energies in ascending order and S_perp per chemical cell summed over them."""
    calculate, arguments, scale, cell = pyspinw_arguments(system)
    timing, (energy, intensity, *_) = timed(lambda: calculate(q_vectors=q * cell, **arguments))
    both, weight = np.array(energy).real, scale * np.array(intensity).real
    order = np.argsort(both, axis=1)[:, both.shape[1] // 2:]
    return timing, np.take_along_axis(both, order, 1), np.take_along_axis(weight, order, 1).sum(axis=1)


# --- measuring -------------------------------------------------------------------------------------------------------

def timed(call: Callable[[], Any]) -> tuple[Timing, Any]:
    cpu, wall = time.process_time(), time.perf_counter()
    value = call()
    return Timing(time.process_time() - cpu, time.perf_counter() - wall), value


def agree(name: str, code: str, energy: Array, total: Array, ours: Any) -> None:
    """The codes did the same work: energies to 1e-6 meV, S_perp summed over modes to 1e-6; away from Goldstone points, at
    which every code has its own way of rounding."""
    far = ours.energy.min(axis=1) > 0.05
    off = np.abs(energy - ours.energy)[far].max()
    mine = ours.intensity.sum(axis=1)[far]
    shift = (np.abs(total[far] - mine) / mine).max()
    if not (off < 1e-6 and shift < 1e-6):
        raise SystemExit(f"{name}: insml and {code} differ: energies by {off:.2g} meV, S_perp by a share of {shift:.2g}")


def measure(name: str, points: int | None, repeat: int, pools: dict[int, ProcessPoolExecutor]) -> dict[str, Any]:
    system = SYSTEMS[name]
    q = np.random.default_rng(1).uniform(-1, 1, (points or system.points, 3))
    model = system.make()

    def ours(threads: int, where: Array) -> Any:
        return model.spectrum(where, tensor=False, threads=threads)

    start = time.perf_counter()
    model.replace().spectrum(q[:1], tensor=False)
    setup = time.perf_counter() - start
    lapack, spectrum = Lapack(model), ours(1, q)
    # insml is too quick for one list of points: it gets the list several times over, for a tenth of a second
    once = timed(lambda: ours(1, q))[0].wall
    many = np.tile(q, (int(np.clip(0.1 / once, 1, 1e6 / len(q))), 1))
    best: dict[str, Timing] = {}

    def keep(code: str, timing: Timing, count: int) -> None:
        last = best.get(code, Timing(np.inf, np.inf))
        best[code] = Timing(min(last.cpu, 1e6 * timing.cpu / count), min(last.wall, 1e6 * timing.wall / count))

    for turn in range(repeat):
        for _ in range(3):
            for threads in (1, 2):
                keep(f"insml {threads}", timed(lambda: ours(threads, many))[0], len(many))  # noqa: B023
        timing, (energy, intensity) = timed(lambda: lapack(q))
        keep("numpy 1", timing, len(q))
        if turn == 0:
            agree(name, "numpy", energy, intensity.sum(axis=1), spectrum)
        for threads, pool in pools.items():
            timing, energy, total = pool.submit(run_pyspinw, name, q).result()
            keep(f"pyspinw {threads}", timing, len(q))
            if turn == 0:
                agree(name, "pySpinW", energy, total, spectrum)
    return {
        "system": name, "sites": len(model.spins), "bonds": len(model.bonds), "points": len(q), "required": system.required,
        "setup_ms": 1e3 * setup,
        "us_per_q": {code: {"cpu": t.cpu, "wall": t.wall} for code, t in best.items()},
        "ratio_pyspinw": best["pyspinw 1"].cpu / best["insml 1"].cpu if pools else None,
        "ratio_pyspinw_2_threads": best["pyspinw 2"].wall / best["insml 2"].wall if pools else None,
        "ratio_numpy": best["numpy 1"].cpu / best["insml 1"].cpu,
        "speedup_2_threads": best["insml 1"].wall / best["insml 2"].wall,
    }


def table(rows: list[dict[str, Any]], pyspinw: str) -> Table:
    out = Table(title=f"energies and S_perp: microseconds of CPU per wave vector; pySpinW {pyspinw}", box=box.SIMPLE_HEAD)
    for column in ("system", "sites", "pySpinW", "numpy", "insml", "numpy\n/ insml", "pySpinW\n/ insml", "asked",
                   "the same,\n2 threads", "2 threads\n/ 1", "set-up\nms"):
        out.add_column(column, justify="left" if column == "system" else "right")
    for r in rows:
        cpu = {code: f"{t['cpu']:.2f}" for code, t in r["us_per_q"].items()}
        ratio = r["ratio_pyspinw"]
        colour = "white" if ratio is None else "green" if ratio >= r["required"] else "red"
        out.add_row(
            r["system"], str(r["sites"]), cpu.get("pyspinw 1", "-"), cpu["numpy 1"], cpu["insml 1"],
            f"{r['ratio_numpy']:.1f}", "-" if ratio is None else f"[{colour}]{ratio:.1f}[/]", f"{r['required']:g}",
            "-" if ratio is None else f"{r['ratio_pyspinw_2_threads']:.1f}", f"{r['speedup_2_threads']:.2f}",
            f"{r['setup_ms']:.1f}")
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS), metavar="NAME",
                        help=f"of {', '.join(SYSTEMS)}")
    parser.add_argument("--q", type=int, help="wave vectors (default: by system, about a second of pySpinW each)")
    parser.add_argument("--repeat", type=int, default=3, help="rounds, of which the best counts")
    parser.add_argument("--json", type=Path, help="also write all numbers here")
    arguments = parser.parse_args()
    console = Console()
    console.width = max(console.width, 110)
    installed = pyspinw_core() is not None
    version = importlib.metadata.version("pyspinw") if installed else "not installed"
    if not installed:
        console.print("pySpinW is not installed; to compare with it: pip install pyspinw==1.1.0b2 (GPL, benchmark only)")
    context = multiprocessing.get_context("spawn")
    pools = {t: ProcessPoolExecutor(1, context, threads_of_pyspinw, (t,)) for t in (1, 2)} if installed else {}
    rows = []
    with console.status("") as status:
        for name in arguments.systems:
            status.update(name)
            rows.append(measure(name, arguments.q, arguments.repeat, pools))
    for pool in pools.values():
        pool.shutdown()
    console.print(table(rows, version))
    if arguments.json:
        machine = {"processor": platform.processor() or platform.machine(), "cpus": os.cpu_count(),
                   "python": platform.python_version(), "numpy": np.__version__, "pyspinw": version}
        arguments.json.write_text(json.dumps({"machine": machine, "systems": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
