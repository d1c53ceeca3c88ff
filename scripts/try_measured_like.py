"""The shipped manganite network on mosaics made by another route than its training images.

    python scripts/try_measured_like.py [--images N] [--seed S] [--mask FILE]

Monte Carlo samples of the instrument instead of the grid; whole counts, 1.5 to 10 where a run is bright; under them a
constant, an elastic tail, |Q|^2 and phonon cones, of which a slightly wrong smooth part is subtracted; negatives at zero,
16 broken pixels, everything above a value cut off; bare arrays, without a mask, in any of four orientations. Both models at
and near their references must be recognised and be in distribution; runs of other materials stitched together must not be.
``--mask``: a MATLAB file with the detector gaps as ``nan_mask`` (240 x 400), else gaps are patches.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

import insml
from insml.answer import Classification
from insml.datasets.coverage import patches
from insml.datasets.placement import Placement
from insml.evaluate.shifts.materials import MATERIALS, material_slices
from insml.instrument_simulation import simulate
from insml.study import Study, bundled

Array = NDArray[np.float64]
GAPS = 0.2


def gaps(file: Path | None, study: Study) -> NDArray[np.bool_]:
    if file is None:
        return patches(np.random.default_rng(11), GAPS, study.layout.stack_shape)
    raw = loadmat(file)["nan_mask"].astype(bool).reshape(6, 40, 10, 40)[::-1]  # largest Ei first
    return raw.transpose(0, 2, 1, 3).reshape(study.layout.stack_shape)[:, :, ::-1]


def measured(stack: Array, counts: float, mask: NDArray[np.bool_], study: Study, rng: np.random.Generator) -> Array:
    """(240, 400) of a clean stack; ``counts`` where a run is bright."""
    place = Placement.of(study.lattice, study.layout)
    h, k = np.meshgrid(*(a.centres for a in study.layout.axes), indexing="ij")
    out = np.zeros_like(stack)
    for run in range(place.runs):
        own = np.flatnonzero(place.index == run)
        bright = float(np.percentile(stack[own][stack[own] > 0], 90)) if (stack[own] > 0).any() else 1.0
        unit = counts * np.exp(rng.normal(0, 0.3))
        step = np.arange(len(own))[:, None, None]
        background = unit * (rng.uniform(0.2, 0.8) + rng.uniform(0.05, 0.3) * (place.q / place.q.max()) ** 2
                             + rng.uniform(0.3, 1.5) * np.exp(-step / rng.uniform(0.5, 2)) * np.exp(
                                 -place.q**2 / rng.uniform(1, 4)))
        away = np.hypot(h % 2 - 1 if rng.random() < 0.5 else h, k)
        cones = unit * rng.uniform(0, 0.4) * np.exp(-0.5 * ((away - (step + 1) * rng.uniform(0.04, 0.1)) / 0.06) ** 2)
        counted = rng.poisson(stack[own] / bright * unit + background + cones)
        wrong = 1 + 0.1 * rng.normal(size=(len(own), 1, 1))
        out[own] = (counted - background * wrong) * rng.lognormal(0, 0.2) * bright / unit
    out = np.where(mask, 0, np.maximum(out, 0))
    broken = rng.integers(0, out.size, 16)
    out.reshape(-1)[broken[~mask.reshape(-1)[broken]]] = 1.3 * out.max()
    image = study.layout.assemble(out)
    image = np.minimum(image * 100 / np.percentile(image[image > 0], 99.5), 120)
    return np.flip(image, [axis for axis in (0, 1) if rng.random() < 0.5]).copy()


def main() -> None:
    parser = argparse.ArgumentParser(description="the shipped network on mosaics made by another route")
    parser.add_argument("--images", type=int, default=24, help="of each set of parameters (default: 24)")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--mask", type=Path)
    args = parser.parse_args()
    study, rng = bundled("manganite"), np.random.default_rng(args.seed)
    mask = gaps(args.mask, study)

    def ask(stack: Array) -> Classification:
        counts = float(np.exp(rng.uniform(np.log(1.5), np.log(10))))
        return insml.classify(measured(stack, counts, mask, study, rng), study)

    for name, candidate in study.candidates.items():
        near = {p.name: float(np.clip((p.reference or 0) + 2 * rng.normal() * (p.error or 0), *p.prior))
                for p in candidate.parameters}
        for what, values in (("at its reference", candidate.reference), ("near it", near)):
            stack = simulate(study, name, values, samples=64).stack
            answers = [ask(stack) for _ in range(args.images)]
            right = np.mean([a.winner == name for a in answers])
            sure = np.mean([a.probabilities[name] >= 0.95 for a in answers])
            known = np.mean([a.in_distribution for a in answers])
            least = min(a.ood_p_value for a in answers)
            print(f"{name} {what}: right {right:.3f}, p >= .95 {sure:.3f}, in distribution {known:.3f} "
                  f"(smallest p-value {least:.3f})", flush=True)
    runs = Placement.of(study.lattice, study.layout).index
    materials = np.stack([material_slices(study, m, np.arange(len(runs))) for m in MATERIALS])
    chosen = rng.integers(len(MATERIALS), size=(2 * args.images, runs.max() + 1))
    answers = [ask(materials[pick[runs], np.arange(len(runs))]) for pick in chosen]
    print(f"other materials stitched: flagged {np.mean([not a.in_distribution for a in answers]):.3f} of {len(answers)} "
          f"(largest p-value {max(a.ood_p_value for a in answers):.3f})")


if __name__ == "__main__":
    main()
