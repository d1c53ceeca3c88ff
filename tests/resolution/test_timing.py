"""Distribution functions of what times do to energies, against closed forms and draws."""

import numpy as np
import pytest
from scipy.special import ndtr

from insml.instruments import maps
from insml.resolution.timing import Characteristic, timing_kernel

U = (np.arange(4096) + 0.5) / 4096


def grids(kernel: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shape = kernel.cumulative.shape
    (beta, beta_step), (x, x_step) = kernel.grids
    return beta + beta_step * np.arange(shape[0]), np.linspace(0, 1, shape[1]), x + x_step * np.arange(shape[2])


def test_gaussian_components_stay_gaussian() -> None:
    from scipy.special import ndtri

    normal = Characteristic(2e-6 * ndtri(U))
    kernel = timing_kernel([(normal, 3.0, 1.0), (normal, -1.0, 2.0)])
    _, _, x = grids(kernel)
    np.testing.assert_allclose(kernel.cumulative, np.broadcast_to(ndtr(x), kernel.cumulative.shape), atol=2e-4)


def test_a_single_box() -> None:
    kernel = timing_kernel([(Characteristic(U - 0.5), 1.0, 0.0)])
    beta, _, x = grids(kernel)
    box = np.clip(0.5 + x / np.sqrt(12), 0, 1)
    np.testing.assert_allclose(kernel.cumulative[:, -1], np.broadcast_to(box, (len(beta), len(x))), atol=5e-3)
    np.testing.assert_allclose(kernel.cumulative[:, 0], np.broadcast_to(ndtr(x), (len(beta), len(x))), atol=1e-4)
    assert kernel.variance == pytest.approx((1 / 12, 0, 0), rel=1e-4)


def test_the_pulses_of_an_instrument_against_draws() -> None:
    setting, rng = maps(50, 200), np.random.default_rng(1)
    times = (setting.moderator.centred(), setting.chopper.centred())
    stretch = [(5.0e4, 1.0e4), (-5.0e4, -6.0e4)]
    kernel = timing_kernel([(Characteristic(t.quantile(U)), p, r) for t, (p, r) in zip(times, stretch, strict=True)])
    drawn = [t.quantile(rng.random(400000)) for t in times]
    betas, rhos, x = grids(kernel)
    for b in (0, 9, 12, 20):
        f = sum((p - betas[b] * r) * t for t, (p, r) in zip(drawn, stretch, strict=True))
        variance = kernel.variance[0] + betas[b] * (kernel.variance[1] + betas[b] * kernel.variance[2])
        assert f.var() == pytest.approx(variance, rel=0.01)
        for rho in (4, 8):
            share = rhos[rho]
            mixed = share * f / np.sqrt(variance) + np.sqrt(1 - share**2) * rng.normal(size=len(f))
            expected = np.searchsorted(np.sort(mixed), x) / len(f)
            np.testing.assert_allclose(kernel.cumulative[b, rho], expected, atol=4e-3)
