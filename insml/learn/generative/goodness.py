"""Is there any latent whose image is what was measured? A goodness of fit that knows no classes.

Scale and offset of each slice are fitted in closed form for every latent, as measured scales are uncertain and
background is left over; latents are moved to the largest posterior, chi2 / 2 + |z|^2 / 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from insml.learn.generative.vae_network import VaeNetwork

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_RATE = 0.05
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Goodness:
    """chi2_per_pixel : of the best image found, per degree of freedom (pixels less two a slice). chi2 :
    (n_slices,) its parts.
    pixels : (n_slices,) with detector. latents : (20,) of that image. model : (n_slices, n0, n1) the image in the
    units of the measurement, offset included."""

    chi2_per_pixel: float
    chi2: Array
    pixels: NDArray[np.int64]
    latents: Array
    model: Array


def fit_slices(shape: Tensor, measured: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Scale >= 0 and offset (n_slices, 1, 1) that make sum(weight (measured - scale shape - offset)^2) of each
    slice least; all of shape (n_slices, n0, n1), weight 0 where there is no detector."""
    total = weight.sum((1, 2), keepdim=True).clamp_min(_TINY)
    mean_shape, mean_measured = ((weight * a).sum((1, 2), keepdim=True) / total for a in (shape, measured))
    deviation = shape - mean_shape
    spread = (weight * deviation**2).sum((1, 2), keepdim=True)
    covariance = (weight * deviation * (measured - mean_measured)).sum((1, 2), keepdim=True)
    scale = (covariance / spread.clamp_min(_TINY)).clamp_min(0)
    return scale, mean_measured - scale * mean_shape


def goodness_of_fit(network: VaeNetwork, start: Tensor, measured: Array, variance: Array, mask: BoolArray,
                    steps: int) -> Goodness:
    """Follow the gradient from latents ``start`` (1, 20) for so many steps; ``variance`` > 0 where not masked."""
    weight = torch.from_numpy(np.where(mask, 0.0, 1 / np.where(mask, 1.0, variance)))
    values = torch.from_numpy(np.where(mask, 0.0, measured))

    def model(z: Tensor) -> Tensor:
        shape = torch.sigmoid(network.decode(z)[0]).double()
        scale, offset = fit_slices(shape, values, weight)
        return scale * shape + offset

    z = start.detach().clone().requires_grad_(True)
    optimiser = torch.optim.Adam([z], lr=_RATE)
    best, least = z.detach().clone(), np.inf
    for step in range(steps + 1):
        objective = 0.5 * (weight * (values - model(z)) ** 2).sum() + 0.5 * (z**2).sum()
        if objective.item() < least:
            best, least = z.detach().clone(), objective.item()
        if step < steps:
            z.grad = torch.autograd.grad(objective, z)[0]
            optimiser.step()
    with torch.no_grad():
        found = model(best)
        chi2 = (weight * (values - found) ** 2).sum((1, 2)).numpy()
    pixels = np.count_nonzero(~mask, axis=(1, 2))
    freedom = max(1, int(np.maximum(pixels - 2, 0).sum()))
    return Goodness(float(chi2.sum() / freedom), chi2, pixels, best[0].double().numpy(), found.numpy())
