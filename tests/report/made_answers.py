"""A made-up answer: rings of intensity that widen with energy, two fits, a network."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insml.answer import Answer, Classification, ModelFit
from insml.mosaic import Axis, Mosaic, MosaicLayout, SliceSpec
from insml.study import bundled
from insml.verdict import draw

TRUE, OTHER = "neel", "alternating"


@dataclass(frozen=True)
class Made:
    """One case of a made-up answer. ``layout`` is small (2 x 3 tiles) unless given."""

    layout: MosaicLayout | None = None
    p_value: float = 0.4
    winner: str = TRUE
    noise: float = 1.0
    network: bool = True
    seed: int = 0


def small_layout() -> MosaicLayout:
    edges = np.linspace(0, 2, 25)
    slices = tuple(SliceSpec((16.0 + 4 * i, 20.0 + 4 * i), 60.0) for i in range(6))
    return MosaicLayout((Axis("h", (1, 0, 0), edges), Axis("k", (0, 1, 0), edges)), (0, 0, 1), slices, (2, 3),
                        ("-k", "+h"))


def rings(layout: MosaicLayout, width: float) -> NDArray[np.float64]:
    """(n_slices, n0, n1)"""
    h, k = np.meshgrid(layout.axes[0].centres, layout.axes[1].centres, indexing="ij")
    distance = np.hypot((h + 1) % 1 - 0.5, (k + 1) % 1 - 0.5)
    radii = np.linspace(0.05, 0.45, len(layout.slices))
    return np.stack([20 / (1 + i) * np.exp(-0.5 * ((distance - r) / width) ** 2) for i, r in enumerate(radii)])


def make_answer(made: Made) -> Answer:
    layout = made.layout or small_layout()
    rng = np.random.default_rng(made.seed)
    truth = rings(layout, 0.06)
    mask = np.zeros(layout.stack_shape, bool)
    mask[:, : layout.axes[0].n // 4, : layout.axes[1].n // 6] = True
    mask[-1] = True
    data = truth + made.noise * rng.standard_normal(truth.shape)
    mosaic = Mosaic.from_stack(data, mask, layout, variance=np.ones_like(data), title="rings", source="rings.nxs")
    fits = {}
    for name, model in ((TRUE, truth), (OTHER, rings(layout, 0.09))):
        residual = np.where(mask, 0, data - model)
        per_slice = (residual**2).sum(axis=(1, 2))
        names = ("J1", "J2", "D") if name == TRUE else ("J1", "J1p", "D")
        pixels = (~mask).sum(axis=(1, 2))
        fits[name] = ModelFit(
            name=name, parameters=dict(zip(names, (10.1234, 0.1612, -0.2), strict=True)),
            errors=dict(zip(names, (0.0512, 0.0093, float("nan")), strict=True)), covariance=np.full((3, 3), np.nan),
            chi2=float(per_slice.sum()), dof=int(pixels.sum()) - 9, chi2_per_slice=per_slice,
            pixels_per_slice=pixels, log_evidence=-0.5 * float(per_slice.sum()),
            # fits come in the study's orientation, which need not be the data's
            best_fit=Mosaic.from_stack(model, mask, layout.oriented(("+h", "+k"))), converged=True, message="",
            at_bound=("D",) if name == OTHER else (),
        )
    network = None
    if made.network:
        saliency = layout.assemble(np.where(mask, 0, truth / truth.max()))
        probabilities = {name: 0.97 if name == made.winner else 0.03 for name in fits}
        network = Classification(probabilities, {n: 0.8 * p for n, p in probabilities.items()}, 0.256, 1.5,
                                 made.p_value, 0.01, saliency, layout.split(saliency).mean(axis=(1, 2)), "residual net",
                                 ood_parts={"network": 1.24, "appearance": 0.26, "gaps": 0.0})
    return draw(bundled("square_antiferromagnet"), mosaic, fits, network, {"version": "0.1"})
