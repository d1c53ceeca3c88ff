"""Make the simulated measurement that `python -m insml report` shows when it is given none.

    python scripts/make_fixtures.py

writes insml/studies/manganite_example.nxs: the Goodenough model at the published parameters as MAPS might have counted
it: Poisson counts with a beam-stop, gaps between detector banks and dead tubes, on a background that is subtracted
afterwards with its mean, and another intensity scale for each incident energy. The seed is fixed, so the file is always
the same.
"""

from pathlib import Path

import numpy as np

import insml.studies
from insml.io import write_mosaic
from insml.mosaic import Mosaic
from insml.simulation import reachable, simulate_stack
from insml.study import bundled

SEED = 20120604
BRIGHT_COUNTS = 12.0  # expected counts where a slice is bright
BACKGROUND = 1.5  # counts per pixel at Q = 0; grows with |Q|^2


def coverage(shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """(n_slices, n0, n1) True where there are detectors."""
    n_slices, n0, n1 = shape
    h, k = np.meshgrid(np.linspace(-1, 1, n0), np.linspace(-1, 1, n1), indexing="ij")
    covered = np.ones(shape, bool)
    for s in range(n_slices):
        covered[s] &= np.hypot(h, k) > 0.08 + 0.004 * (s % 10)  # beam stop
        covered[s] &= np.abs(np.abs(k) - 0.52) > 0.03  # gaps between banks
        covered[s] &= ~((np.abs(h) < 0.04) & (k > 0.1))  # support of the beam stop
    for tube in rng.choice(n1, 3, replace=False):  # dead tubes
        covered[:, : n0 // 2, tube] = False
    return covered


def main() -> None:
    study = bundled("manganite")
    rng = np.random.default_rng(SEED)
    clean = simulate_stack(study, "goodenough")
    covered = coverage(clean.shape, rng) & reachable(study)
    energies = sorted({s.ei for s in study.layout.slices if s.ei is not None})
    scale = dict(zip(energies, rng.uniform(0.7, 1.3, len(energies)), strict=True))
    u, v = (a.centres for a in study.layout.axes)
    q2 = u[:, None] ** 2 + v**2
    values, variance = np.zeros_like(clean), np.zeros_like(clean)
    for s, spec in enumerate(study.layout.slices):
        same = [t for t, other in enumerate(study.layout.slices) if other.ei == spec.ei]
        assert spec.ei is not None
        per_count = np.quantile(clean[same], 0.98) / BRIGHT_COUNTS / scale[spec.ei]
        background = BACKGROUND * (1 + 0.3 * q2)
        counts = rng.poisson(clean[s] / per_count + background)
        values[s] = counts - BACKGROUND * 1.1
        variance[s] = np.maximum(counts, 1)
    mosaic = Mosaic.from_stack(values, ~covered, study.layout, variance=variance,
                               title="simulated measurement: Goodenough model, MAPS, Poisson counts",
                               source="scripts/make_fixtures.py")
    out = Path(insml.studies.__file__).with_name("manganite_example.nxs")
    write_mosaic(out, mosaic)
    print(f"written: {out} ({out.stat().st_size / 1e3:.0f} kB)")


if __name__ == "__main__":
    main()
