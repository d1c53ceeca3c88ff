"""Spin waves as functions of torch tensors: the derivatives of :mod:`insml.spinwave.gradient`, for torch to chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from insml.errors import MissingExtraError, ModelError
from insml.spinwave import gradient
from insml.spinwave.broadening import Width
from insml.spinwave.model import SpinModel

try:
    import torch
    from torch import Tensor
    from torch.autograd.function import FunctionCtx, once_differentiable
except ImportError as e:
    raise MissingExtraError("torch", "ml", "spin waves as torch functions") from e


def spectrum(model: SpinModel, q: ArrayLike, values: Mapping[str, Tensor], **options: Any) -> tuple[Tensor, Tensor]:
    """Energies and intensities, (nq, nmode) each, of ``model`` with the named parameters at ``values``.

    Differentiable once with respect to ``values``, tensors of no dimension. Modes of one energy share the mean of what
    their level gains, so that what is built from the energies must treat them alike (sums, sorted lists);
    :func:`broadened` is smooth everywhere. ``options`` are those of :func:`insml.spinwave.gradient.gradient`. The numbers
    are computed in double precision and come back in the type, and on the device, of ``values``.

    Raises
    ------
    MissingExtraError : on import, without torch. Else as :func:`insml.spinwave.gradient.gradient`.
    """
    energy, intensity = SpectrumFunction.apply(_stacked(values), model, q, tuple(values), options)
    return energy, intensity


def broadened(model: SpinModel, q: ArrayLike, energies: ArrayLike, fwhm: Width, values: Mapping[str, Tensor],
              **options: Any) -> Tensor:
    """(nq, nE) S_perp(q, E) as :func:`insml.spinwave.gradient.broadened` has it, of ``model`` with the named parameters at
    ``values``; see :func:`spectrum`."""
    total: Tensor = BroadenedFunction.apply(_stacked(values), model, q, energies, fwhm, tuple(values), options)
    return total


class SpectrumFunction(torch.autograd.Function):
    """(np,) values -> energy, intensity."""

    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor, model: SpinModel, q: ArrayLike, names: tuple[str, ...],
                options: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        found = gradient.gradient(_moved(model, names, values), q, names if _wanted(ctx) else (), **options)
        ctx.save_for_backward(_like(values, found.d_energy), _like(values, found.d_intensity))
        return _like(values, found.energy), _like(values, found.intensity)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, energy: Tensor, intensity: Tensor) -> tuple[Tensor | None, ...]:
        d_energy, d_intensity = ctx.saved_tensors
        slope = torch.einsum("qm,qmp->p", energy, d_energy) + torch.einsum("qm,qmp->p", intensity, d_intensity)
        return slope, None, None, None, None


class BroadenedFunction(torch.autograd.Function):
    """(np,) values -> (nq, nE) S."""

    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor, model: SpinModel, q: ArrayLike, energies: ArrayLike, fwhm: Width,
                names: tuple[str, ...], options: Mapping[str, Any]) -> Tensor:
        total, slopes = gradient.broadened(_moved(model, names, values), q, energies, fwhm, names if _wanted(ctx) else (),
                                           **options)
        ctx.save_for_backward(_like(values, slopes))
        return _like(values, total)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, total: Tensor) -> tuple[Tensor | None, ...]:
        (slopes,) = ctx.saved_tensors
        return torch.einsum("qe,qep->p", total, slopes), None, None, None, None, None, None


def _wanted(ctx: Any) -> bool:
    return bool(ctx.needs_input_grad[0])


def _stacked(values: Mapping[str, Tensor]) -> Tensor:
    if not values:
        raise ModelError("values: expected at least one parameter, found none")
    for name, value in values.items():
        if not isinstance(value, Tensor) or value.ndim != 0 or not value.is_floating_point():
            raise ModelError(f"values: {name}: expected a tensor with one real number and no dimension, found {value!r}")
    return torch.stack(list(values.values()))


def _moved(model: SpinModel, names: tuple[str, ...], values: Tensor) -> SpinModel:
    gradient.names_of(model, names)
    return model.with_parameters(dict(zip(names, values.detach().double().cpu().tolist(), strict=True)))


def _like(values: Tensor, array: np.ndarray[Any, np.dtype[np.float64]]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(values)
