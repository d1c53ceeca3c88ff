"""Simulated mosaics against independent evaluation, limits and invariances."""

from dataclasses import replace

import numpy as np
import pytest

from insml import UnstableStructureError
from insml.instruments.fermi import wavevector
from insml.mosaic import Axis, MosaicLayout, SliceSpec
from insml.resolution import GaussianBroadening
from insml.simulation import Simulator, reachable, simulate, simulate_stack
from insml.spinwave import SpinModel
from insml.study import Integrated, Kinematic, Study, bundled
from insml.study.structure import Twin

VALUES = {"J1": 10.0, "J2": 0.4, "D": -0.06}


def small(third: Integrated | Kinematic | None = None, *, u: tuple[float, float, float] = (1, 0, 0),
          v: tuple[float, float, float] = (0, 1, 0)) -> Study:
    """The square-lattice study on a few coarse bins."""
    study = bundled("square_antiferromagnet")
    axes = (Axis("h", u, np.linspace(0.3, 0.7, 5)), Axis("k", v, np.linspace(0.35, 0.65, 4)))
    slices = (SliceSpec((20.0, 24.0), 60.0), SliceSpec((30.0, 36.0), 60.0))
    return replace(study, layout=MosaicLayout(axes, (0, 0, 1), slices, (1, 2)),
                   third=third or Integrated((0.0, 1.0), 1),
                   broadening=GaussianBroadening(energy_fwhm=(3.0, -0.02), q_fwhm=(0.05, 0.04)))


def brute_force(study: Study, values: dict[str, float], l_of: float, samples: int = 40000) -> np.ndarray:
    """Monte Carlo over Q for Gaussian and bin, energy window by counting smeared modes; no grid, no tables."""
    rng = np.random.default_rng(5)
    layout = study.layout
    model = SpinModel.from_dict(study.candidates["neel"].model(values))
    out = np.zeros(layout.stack_shape)
    widths = study.broadening.widths(study.lattice, layout)
    for s, spec in enumerate(layout.slices):
        for i in range(layout.axes[0].n):
            for j in range(layout.axes[1].n):
                x, y = (rng.uniform(a.edges[b], a.edges[b + 1], samples) + rng.normal(0, sigma, samples)
                        for a, b, sigma in zip(layout.axes, (i, j), widths[s].sigma_axes, strict=True))
                q = x[:, None] * layout.axes[0].vector + y[:, None] * layout.axes[1].vector
                q = q + l_of * np.asarray(layout.third)
                spectrum = model.spectrum(q, form_factor=study.form_factor, tensor=False)
                e = spectrum.energy + rng.normal(size=spectrum.energy.shape) * widths[s].energy_sigma(spectrum.energy)
                inside = (e >= spec.energy[0]) & (e < spec.energy[1])
                out[s, i, j] = (spectrum.intensity * inside).sum(axis=1).mean() / (spec.energy[1] - spec.energy[0])
    return out


@pytest.mark.parametrize(("u", "v"), [((1, 0, 0), (0, 1, 0)), ((1, 1, 0), (-1, 1, 0)), ((1, 0.31, 0), (0, 1, 0))])
def test_grid_and_closed_energy_integral_match_brute_force(u: tuple[float, float, float],
                                                           v: tuple[float, float, float]) -> None:
    """Axes along the cell, along its diagonals, and irrational to it (no repeating eigenproblems)."""
    study = small(u=u, v=v)
    ours = simulate_stack(study, "neel", VALUES, step=1.5)
    np.testing.assert_allclose(ours, brute_force(study, VALUES, 0.5), atol=0.04 * ours.max())


def test_converged_in_the_grid_step() -> None:
    study = small()
    fine = simulate_stack(study, "neel", VALUES, step=0.8)
    assert np.abs(simulate_stack(study, "neel", VALUES) - fine).max() < 0.01 * fine.max()


def test_threads_change_no_bit() -> None:
    study = small(Integrated((0.0, 3.0), 4, (2.0, 60.0)))
    assert np.array_equal(simulate_stack(study, "neel", VALUES, threads=1),
                          simulate_stack(study, "neel", VALUES, threads=2))


def test_energy_windows_add_up() -> None:
    """Two half windows make the whole one: intensity is per meV and no mode is lost between them."""
    study = replace(small(), broadening=GaussianBroadening(energy_fwhm=(2.5,), q_fwhm=(0.05, 0.04)))
    whole = simulate_stack(study, "neel", VALUES, step=1.2)[0]
    halves = replace(study, layout=replace(study.layout, slices=(SliceSpec((20, 22), 60.0), SliceSpec((22, 24), 60.0))))
    parts = simulate_stack(halves, "neel", VALUES, step=1.2)
    np.testing.assert_allclose(parts.mean(axis=0), whole, atol=5e-4 * whole.max())


def test_swapping_axes_transposes() -> None:
    study = small()
    first, second = study.layout.axes
    swapped = replace(study, layout=replace(study.layout, axes=(second, first)),
                      broadening=GaussianBroadening(energy_fwhm=(3.0, -0.02), q_fwhm=(0.04, 0.05)))
    ours = simulate_stack(study, "neel", VALUES)
    np.testing.assert_allclose(simulate_stack(swapped, "neel", VALUES).transpose(0, 2, 1), ours, atol=1e-9 * ours.max())


def test_twins_average() -> None:
    """A twin turned by 90 degrees about c sees (h, k) as (k, -h): the mean of two images of the untwinned crystal."""
    twinned = small()
    alone = replace(twinned.structure, twins=(Twin(tuple(map(tuple, np.eye(3).tolist())), 1.0),))
    candidate = replace(twinned.candidates["alternating"], structure=alone)
    single = replace(twinned, candidates={"alternating": candidate})
    first, second = single.layout.axes
    turned = replace(single, layout=replace(single.layout, axes=(replace(first, vector=(0, -1, 0)),
                                                                 replace(second, vector=(1, 0, 0)))))
    values = {"J1": 11.0, "J1p": 5.0, "D": -0.1}
    one, other = (simulate_stack(s, "alternating", values, step=1.2) for s in (single, turned))
    assert np.abs(one - other).max() > 0.05 * one.max()
    both = simulate_stack(twinned, "alternating", values, step=1.2)
    np.testing.assert_allclose(both, 0.5 * (one + other), atol=1e-3 * both.max())


def test_angles_that_see_everything_change_nothing() -> None:
    plain = simulate_stack(small(Integrated((3.5, 4.9), 6)), "neel", VALUES)
    seen = simulate_stack(small(Integrated((3.5, 4.9), 6, (0.0, 180.0))), "neel", VALUES)
    # midpoints against Gauss-Legendre; |Q| is never below ki - kf there
    np.testing.assert_allclose(seen, plain, rtol=0.02, atol=1e-3 * plain.max())


def test_kinematic_third_component_conserves_energy() -> None:
    """With all modes at one energy the third component is one number: compare with a slice at that l."""
    study = small(Kinematic((0, 0, 1)))
    narrow = SliceSpec((33.0, 33.2), 60.0)
    study = replace(study, layout=replace(study.layout, slices=(narrow,), grid=(1, 1)),
                    broadening=GaussianBroadening(energy_fwhm=(0.3,), q_fwhm=(0.05, 0.05)))
    kinematic = simulate_stack(study, "neel", VALUES, step=1.5)
    ki, kf = wavevector(60.0), wavevector(60.0 - 33.1)
    b = study.lattice.reciprocal
    q_plane = np.hypot(0.5 * b[0, 0], 0.5 * b[1, 1])
    l_centre = float((ki - np.sqrt(kf**2 - q_plane**2)) / b[2, 2])
    fixed = simulate_stack(replace(study, third=Integrated((l_centre - 1e-6, l_centre + 1e-6), 1)), "neel", VALUES,
                           step=1.5)
    np.testing.assert_allclose(kinematic, fixed, rtol=0.08, atol=0.01 * fixed.max())


def test_unreachable_pixels_are_masked() -> None:
    study = bundled("manganite")
    wide = Axis("h", (1, 0, 0), np.linspace(-6, 6, 41))
    study = replace(study, layout=replace(study.layout, axes=(wide, study.layout.axes[1])))
    seen = reachable(study)
    assert seen.any()
    assert not seen.all()
    s, i, j = np.argwhere(~seen)[0]
    spec, (u, v) = study.layout.slices[s], study.layout.axes
    q = study.lattice.reciprocal @ [u.centres[i], v.centres[j], 0]
    assert spec.ei is not None
    assert np.linalg.norm(q) > wavevector(spec.ei - sum(spec.energy) / 2)


def test_frozen_grid_makes_smooth_differences() -> None:
    study = small()
    simulator = Simulator(study, "neel")
    base = simulator.stack(VALUES)
    simulator.freeze()
    slopes = [(simulator.stack(VALUES | {"J1": VALUES["J1"] + d}) - base) / d for d in (1e-5, 1e-4)]
    assert np.abs(slopes[0] - slopes[1]).max() < 0.02 * np.abs(slopes[0]).max()
    assert np.array_equal(simulator.stack(VALUES, (1.0, 1.0)), base)
    assert np.abs(simulator.stack(VALUES, (1.3, 1.0)) - base).max() > 0.01 * base.max()


def test_instability_is_reported() -> None:
    with pytest.raises(UnstableStructureError):
        simulate(bundled("manganite"), "dimer", {"JFS": -14.0, "JFW": -8.0, "JA1": -2.0, "JA2": -2.0, "Jperp": 0.9,
                                                 "D": 0.07})
