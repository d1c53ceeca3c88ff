"""Spin waves as torch functions."""

import importlib
import sys

import numpy as np
import pytest
import torch
from test_gradient import EYE, Q, chain

from insml import MissingExtraError, ModelError, SpinModel
from insml.spinwave import autograd
from insml.spinwave.gradient import broadened, gradient


def honeycomb() -> SpinModel:
    """A ferromagnet whose two modes are far apart at Q, in a field."""
    bonds = [(0, 1, dl, -1.0 * EYE) for dl in ((0, 0, 0), (-1, 0, 0), (0, -1, 0))]
    second = [(i, i, dl, np.array([[-0.1, D, 0], [-D, -0.1, 0], [0, 0, -0.1]]))
              for i, D in ((0, 0.05), (1, -0.05)) for dl in ((1, 0, 0), (0, 1, 0), (-1, -1, 0))]
    return SpinModel(lattice_vectors=[[3, 0, 0], [1.5, 2.6, 0], [0, 0, 6]], positions=[[0, 0, 0], [1 / 3, 1 / 3, 0]],
                     spins=[[0, 0, 1.0]] * 2, bonds=bonds + second, bond_labels=["J1"] * 3 + ["second"] * 6,
                     field=[0, 0, 3.0])


def number(x: float) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64, requires_grad=True)


def test_gradcheck() -> None:
    values = (number(-1.0), number(1.0), number(3.0))
    model = honeycomb()

    def named(*x: torch.Tensor) -> dict[str, torch.Tensor]:
        return dict(zip(("J1", "second", "B"), x, strict=True))

    assert torch.autograd.gradcheck(lambda *x: autograd.spectrum(model, Q, named(*x)), values)
    at = np.linspace(0.5, 6, 12)
    assert torch.autograd.gradcheck(lambda *x: autograd.broadened(model, Q, at, 0.7, named(*x)), values)


def test_broadened_of_degenerate_levels() -> None:
    """Exchange along x alone parts modes that are degenerate."""
    model = chain(1.7, -0.2)
    assert torch.autograd.gradcheck(
        lambda x: autograd.broadened(model, Q, np.linspace(0.5, 6, 12), 0.7, {"J(1,1)": x}), (number(1.7),))


def test_values_and_slopes_are_those_of_the_arrays() -> None:
    model, J = chain(1.7, -0.2), number(1.6)
    energy, intensity = autograd.spectrum(model, Q, {"J": J}, form_factor=False)
    expected = gradient(model.with_parameters({"J": 1.6}), Q, ["J"])
    assert np.array_equal(energy.detach().numpy(), expected.energy)
    assert np.array_equal(intensity.detach().numpy(), expected.intensity)
    (3 * energy.sum() + intensity.sum()).backward()
    assert J.grad is not None
    assert J.grad.item() == pytest.approx(3 * expected.d_energy.sum() + expected.d_intensity.sum())
    at = [1.0, 3.0]
    total = autograd.broadened(model, Q, at, 0.5, {"J": J.detach()})
    assert not total.requires_grad
    assert np.array_equal(total.numpy(), broadened(model.with_parameters({"J": 1.6}), Q, at, 0.5, [])[0])


def test_a_fit_finds_the_couplings() -> None:
    model, at = honeycomb(), np.linspace(0.5, 6, 40)
    wanted = {"J1": -1.3, "second": 1.4}
    data = torch.from_numpy(broadened(model.with_parameters(wanted), Q, at, 0.8, [])[0])
    values = {"J1": number(-1.0), "second": number(1.0)}
    search = torch.optim.LBFGS(list(values.values()), line_search_fn="strong_wolfe", max_iter=100, tolerance_grad=1e-12,
                               tolerance_change=1e-14)

    def loss() -> torch.Tensor:
        search.zero_grad()
        misfit = (autograd.broadened(model, Q, at, 0.8, values) - data).square().sum()
        misfit.backward()
        return misfit

    search.step(loss)
    for name, value in values.items():
        assert value.item() == pytest.approx(wanted[name], abs=1e-6)


def test_single_precision_comes_back() -> None:
    J = torch.tensor(1.7, requires_grad=True)
    energy, _ = autograd.spectrum(chain(1.7, -0.2), Q, {"J": J})
    energy.sum().backward()
    assert energy.dtype == torch.float32
    assert J.grad is not None
    assert J.grad.dtype == torch.float32


def test_second_derivatives_are_refused() -> None:
    J = number(1.7)
    energy, _ = autograd.spectrum(chain(1.7, -0.2), Q, {"J": J})
    (slope,) = torch.autograd.grad(energy.square().sum(), J, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.backward()


def test_bad_input_is_named() -> None:
    model = chain(1.7, -0.2)
    with pytest.raises(ModelError, match="values: J: expected a tensor with one real number"):
        autograd.spectrum(model, Q, {"J": 1.7})  # type: ignore[dict-item]
    with pytest.raises(ModelError, match="values: expected at least one parameter"):
        autograd.spectrum(model, Q, {})
    with pytest.raises(ModelError, match="found 'K'"):
        autograd.spectrum(model, Q, {"K": number(1.0)})


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "insml.spinwave.autograd")
    with pytest.raises(MissingExtraError, match="torch"):
        importlib.import_module("insml.spinwave.autograd")
