"""Derivatives of spin waves: against differences, and by blocks against the whole form."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from test_blocks import EYE, Q, models
from test_random_models import fuzz

from insml import ModelError, SpinModel, UnstableStructureError
from insml.spinwave.gradient import Gradient, broadened, gradient
from insml.spinwave.parameters import Parameter

Array = NDArray[np.float64]
seeds = st.integers(0, 2**32 - 1)


def moving(model: SpinModel, rng: np.random.Generator) -> SpinModel:
    """The model with directions that move every kind of coupling, within the symmetry that a rotating frame needs."""
    free = model.k is None

    def of(matrix: Array) -> Array:
        return rng.normal(0, 0.3, (3, 3)) if free else rng.normal() * matrix

    def local(matrix: Array) -> Array:
        change = of(matrix)
        return change + change.T

    named = {
        "bonds": Parameter(0.0, {b: of(J) for b, (*_, J) in enumerate(model.bonds) if rng.random() < 0.7}),
        "quartic": Parameter(0.0, {}, {b: rng.normal() for b in range(len(model.biquadratic))}),
        "local": Parameter(0.0, {}, {}, {i: local(A) for i, A in enumerate(model.anisotropy)}),
        "field": Parameter(0.0, field=rng.normal(size=3) if free else model.field),
    }
    return model.replace(parameters=named)


def moments(energy: Array, intensity: Array, unit: float) -> Array:
    """Sums over modes of E^p and I E^p, p = 0..3, E in units of ``unit``: blind to how equal modes mix. (nq, 8)"""
    power = np.stack([(energy / unit) ** p for p in range(4)], axis=-1)
    return np.concatenate([power.sum(axis=1), np.einsum("qm,qmp->qp", intensity, power)], axis=1)


def slopes(g: Gradient, unit: float) -> Array:
    """The derivatives of ``moments``. (nq, 8, np)"""
    e = g.energy / unit
    power = np.stack([e**p for p in range(4)], axis=-1)
    bend = np.stack([p * e ** max(p - 1, 0) / unit for p in range(4)], axis=-1)
    first = np.einsum("qmk,qmp->qpk", g.d_energy, bend)
    second = (np.einsum("qmk,qmp->qpk", g.d_intensity, power)
              + np.einsum("qm,qmk,qmp->qpk", g.intensity, g.d_energy, bend))
    return np.concatenate([first, second], axis=1)


def assert_slope(found: Array, of: Callable[[SpinModel], Array], model: SpinModel, name: str, least: float) -> None:
    """Against differences by four points, whose error is of fourth order, at the best of five steps: rounding spoils small
    ones, soft modes large ones."""
    at, errors = model.parameters[name].value, []
    for step in least * np.logspace(-3, -7, 5):
        try:
            far, near, also_near, also_far = (of(model.with_parameters({name: at + n * step})) for n in (-2, -1, 1, 2))
        except UnstableStructureError:
            continue
        expected = (far - 8 * near + 8 * also_near - also_far) / (12 * step)
        scale = max(np.abs(near).max() / least, np.abs(expected).max())
        errors.append(np.abs(found - expected).max() / scale)
    assume(errors)
    assert min(errors) < 1e-6


def assert_derivatives(model: SpinModel, q: Array, blocks: bool = True, **options: Any) -> None:
    s = model.spectrum(q, **options)
    unit = float(s.energy.max())
    # the intensity of modes near zero is steep
    assume(s.energy.min() > 0.02 * unit > 1e-4)
    g = gradient(model, q, blocks=blocks, **options)
    # modes closer than 1e-7 of the size of h are taken for one level
    np.testing.assert_allclose(g.energy, s.energy, rtol=0, atol=1e-6 * unit)
    found, expected = (moments(x.energy, x.intensity, unit) for x in (g, s))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)
    at = np.linspace(0.1, 1.1, 7) * unit
    width = 0.2 * unit
    _, d_total = broadened(model, q, at, width, blocks=blocks, **options)
    exact, least = slopes(g, unit), float(s.energy.min())

    def sums(m: SpinModel) -> Array:
        moved = m.spectrum(q, **options)
        return moments(moved.energy, moved.intensity, unit)

    for k, name in enumerate(g.parameters):
        assert_slope(exact[..., k], sums, model, name, least)
        assert_slope(d_total[..., k], lambda m: broadened(m, q, at, width, (), **options)[0], model, name, least)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_derivatives_of_random_models(seed: int) -> None:
    """Helices, fields, domains, biquadratic terms, form factors, g-tensors."""
    rng = np.random.default_rng(seed)
    case = fuzz.sound(rng)
    options = {key: case.options[key] for key in ("form_factor", "g_tensor")}
    try:
        model = moving(SpinModel(**case.model), rng)
        model.spectrum(Q[:4], **options)
    except ModelError:
        assume(False)
    assert_derivatives(model, Q[:4], **options)


@settings(max_examples=30, deadline=None)
@given(models, seeds, st.booleans())
def test_derivatives_of_models_that_split(model: SpinModel, seed: int, along: bool) -> None:
    """Supercells whose levels are degenerate; directions that keep the blocks, and others that do not."""
    if along:
        first = {b: J for b, (*_, J) in enumerate(model.bonds)}
        named = {"J": Parameter(1.0, first), "A": Parameter(1.0, {}, {}, dict(enumerate(model.anisotropy)))}
        model = model.replace(parameters=named)
    else:
        model = moving(model, np.random.default_rng(seed))
    assert_derivatives(model, Q[:3])


@settings(max_examples=30, deadline=None)
@given(models)
def test_blocks_give_the_derivatives_of_the_whole_form(model: SpinModel) -> None:
    named = {"J": Parameter(1.0, {b: J for b, (*_, J) in enumerate(model.bonds)}),
             "B": Parameter(0.0, field=EYE[2])}
    model = model.replace(parameters=named)
    one, other = (gradient(model, Q, blocks=blocks) for blocks in (True, False))
    unit = float(one.energy.max())
    assume(one.energy.min() > 0.02 * unit)
    found, expected = slopes(one, unit), slopes(other, unit)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * max(1.0, np.abs(expected).max()))
    at = np.linspace(0, unit, 9)
    for a, b in zip(broadened(model, Q, at, 0.1 * unit), broadened(model, Q, at, 0.1 * unit, blocks=False), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * max(1.0, np.abs(b).max()))


@pytest.mark.parametrize("blocks", [True, False])
def test_the_same_bits_whatever_the_threads(blocks: bool) -> None:
    model = moving(SpinModel(**fuzz.sound(np.random.default_rng(3)).model), np.random.default_rng(4))
    q = np.random.default_rng(5).uniform(-1, 1, (300, 3))
    one, two = (gradient(model, q, blocks=blocks, threads=n) for n in (1, 2))
    assert np.array_equal(one.d_energy, two.d_energy)
    assert np.array_equal(one.d_intensity, two.d_intensity)
