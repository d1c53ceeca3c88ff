"""Two candidates of a study beside each other, and their difference, strip by strip.

    python scripts/plot_candidates.py [STUDY] [--out FILE] [--resolution table]

Each row is one incident energy, each column one energy window; the difference has its own, symmetric scale. Without STUDY:
the manganite at the published parameters.
"""

import argparse

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from insml.instrument_simulation import EVALUATIONS
from insml.instrument_simulation import simulate as through_instrument
from insml.simulation import simulate
from insml.study import Study, bundled, load


def image(study: Study, candidate: str, resolution: str) -> NDArray[np.float64]:
    if resolution in EVALUATIONS:
        return through_instrument(study, candidate, evaluation=resolution).values
    return simulate(study, candidate, resolution=resolution != "none").values


def draw(study: Study, resolution: str) -> Figure:
    names = list(study.candidates)[:2]
    one, two = (image(study, name, resolution) for name in names)
    rows, columns = study.layout.tile_shape
    # a scale for each row of tiles: intensities fall steeply with energy
    level = np.repeat([max(np.quantile(np.concatenate([a[r:r + rows] for a in (one, two)]), 0.995), 1e-12)
                       for r in range(0, one.shape[0], rows)], rows)[:, None]
    most = float(max(np.quantile(np.abs(one - two) / level, 0.999), 1e-12))
    figure = Figure(figsize=(21, 1 + 6.2 * one.shape[0] / one.shape[1]), layout="constrained")
    for ax, (title, values, colours, limits) in zip(figure.subplots(1, 3), (
            (names[0], one / level, "viridis", (0, 1)), (names[1], two / level, "viridis", (0, 1)),
            (f"{names[0]} - {names[1]}", (one - two) / level, "RdBu_r", (-most, most))), strict=True):
        drawn = ax.imshow(values, cmap=colours, vmin=limits[0], vmax=limits[1], interpolation="nearest")
        ax.set_title(title)
        ax.set_xticks(np.arange(0, one.shape[1], columns) - 0.5, [])
        ax.set_yticks(np.arange(0, one.shape[0], rows) + 0.5 * rows,
                      [f"{study.layout.slices[i].ei or 0:g} meV" for i in range(0, len(study.layout.slices),
                                                                               study.layout.grid[1])])
        for edge in np.arange(rows, one.shape[0], rows):
            ax.axhline(edge - 0.5, color="grey", lw=0.4)
        figure.colorbar(drawn, ax=ax, shrink=0.7, label="share of the strip's 99.5 % quantile")
    figure.suptitle(f"{study.name}: resolution {resolution}; strips are incident energies, columns energy windows")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?")
    parser.add_argument("--out", default="candidates.png")
    parser.add_argument("--resolution", default="table", choices=(*EVALUATIONS, "gaussian", "none"))
    arguments = parser.parse_args()
    study = bundled("manganite") if arguments.study is None else load(arguments.study)
    draw(study, arguments.resolution).savefig(arguments.out, dpi=110)
    print(arguments.out)


if __name__ == "__main__":
    main()
