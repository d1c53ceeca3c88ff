"""Modes from a table: cost per wave vector, error, and the same by exact blocks and by brille.

    python scripts/bench_table.py [--brille-python PYTHON] [--check]

Energies and intensities (form factors included) of one domain of the manganite at a million random wave vectors, one
thread; the table's error at 4096. With an interpreter that has brille (AGPL, no part of this project), the time it takes to
interpolate 32 energies and 32 x 32 complex eigenvector components, from which intensities would still have to be made.
``--check``: 10,000 wave vectors at 50 stable sets of each model's prior against the stated error.
"""

import argparse
import subprocess
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from insml import SpinModel, UnstableStructureError
from insml.spinwave.table import ModeTable
from insml.studies import manganite

BRILLE = """
import time
import numpy as np
from brille.utils import create_bz, create_grid
grid = create_grid(create_bz(10.816, 10.9198, 19.266, 90, 90, 90, "P 1"), complex_vectors=True, node_volume_fraction=1e-4)
n, rng = len(grid.rlu), np.random.default_rng(0)
vectors = rng.random((n, 32, 32)) + 1j * rng.random((n, 32, 32))
grid.fill(rng.random((n, 32, 1)), [1], vectors, [0, 32])
q = rng.uniform(-2, 2, (20000, 3))
start = time.process_time()
grid.interpolate_at(q)
print(n, (time.process_time() - start) / len(q))
"""


def brille(python: str) -> tuple[int, float] | None:
    """Nodes, and CPU-seconds for each wave vector."""
    found = subprocess.run([python, "-c", BRILLE], capture_output=True, text=True, check=False)
    if found.returncode:
        return None
    nodes, seconds = found.stdout.split()[-2:]
    return int(nodes), float(seconds)


def seconds_per_q(run: object, q: np.ndarray) -> float:
    assert callable(run)
    start = time.process_time()
    run(q)
    return (time.process_time() - start) / len(q)


def check(console: Console, name: str) -> None:
    candidate = manganite.STUDY.candidates[name]
    rng = np.random.default_rng(0)
    low, high = (np.array([p.prior[i] for p in candidate.parameters]) for i in (0, 1))
    worst, done = np.zeros(2), 0
    reference = candidate.spin_model()
    while done < 50:
        values = dict(zip(candidate.names, rng.uniform(low, high).tolist(), strict=True))
        try:
            table = ModeTable(reference.with_parameters(values), form_factor=True)
        except UnstableStructureError:
            continue
        stated, found = table.error(), table.error(points=10_000, seed=1 + done)
        worst = np.maximum(worst, [found.energy_rms / stated.energy_rms, found.intensity_rms / stated.intensity_rms])
        done += 1
    console.print(f"{name}: 50 sets, 10,000 wave vectors: rms at most {worst[0]:.2f} (energy) and {worst[1]:.2f} "
                  "(intensity) of what is stated")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brille-python")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    console = Console(width=120)
    if arguments.check:
        for name in manganite.STUDY.candidates:
            check(console, name)
        return
    q = np.random.default_rng(1).uniform(-2, 2, (1_000_000, 3))
    table = Table("model", "way", "nodes", "build, s", "us per q", "energy rms, meV", "intensity rms")
    peer = brille(arguments.brille_python) if arguments.brille_python else None
    for name, candidate in manganite.STUDY.candidates.items():
        model = SpinModel.from_dict(candidate.model(candidate.reference)).replace(twins=())
        exact = seconds_per_q(lambda q, m=model: m.spectrum(q, form_factor=True, threads=1), q[:200_000])
        table.add_row(name, "exact blocks", "", "", f"{1e6 * exact:.2f}", "", "")
        for step in (0.05, 0.025, 0.0125):
            start = time.process_time()
            modes = ModeTable(model, step=step, form_factor=True, threads=1)
            build = time.process_time() - start
            cost, error = seconds_per_q(modes.spectrum, q), modes.error()
            ratio = f" (brille / {peer[1] / cost:.0f})" if peer else ""
            table.add_row(name, f"table, step {step:g}", " x ".join(map(str, modes.nodes)), f"{build:.3f}",
                          f"{1e6 * cost:.2f}{ratio}", f"{error.energy_rms:.4f}", f"{error.intensity_rms:.3f}")
    if peer:
        table.add_row("16 sites", "brille, vectors only", str(peer[0]), "", f"{1e6 * peer[1]:.1f}", "", "")
    console.print(table)
    if not peer:
        console.print("brille: " + ("no interpreter given" if not arguments.brille_python else "could not be run"))


if __name__ == "__main__":
    main()
