import numpy as np
import pytest
from scipy import stats

from insml.datasets.counting import add_counting_noise


@pytest.mark.parametrize("mean", [0.0, 0.4, 3.0, 7.9, 8.0, 11.3, 30.0, 400.0])
def test_counts_are_poisson(mean: float) -> None:
    n = 400_000
    # half of the mean is signal, half was subtracted, and a count is an intensity of 3
    signal = np.full((1, 1, n), 1.5 * mean, np.float32)
    subtracted, unit = np.array([1.5 * mean], np.float32), np.array([3.0], np.float32)
    add_counting_noise(signal, subtracted, unit, np.random.default_rng(5), whole=True)
    found = (signal.astype(float).ravel() + 1.5 * mean) / 3
    counts = np.round(found)
    assert (counts >= 0).all()
    assert np.abs(found - counts).max() < 1e-4
    k = np.arange(int(mean + 10 * np.sqrt(mean)) + 3)
    below = np.searchsorted(np.sort(counts), k, side="right") / n
    # 0.003 of the expansion, and five standard deviations of the mean of so many
    assert np.abs(below - stats.poisson(mean).cdf(k)).max() < 0.003 + 2.5 / np.sqrt(n)
    if mean > 0:
        assert counts.mean() == pytest.approx(mean, abs=5 * np.sqrt(mean / n) + 0.005)
        assert counts.var() == pytest.approx(mean, rel=0.02 + 8 / np.sqrt(n))
        assert stats.skew(counts) == pytest.approx(1 / np.sqrt(mean), abs=0.03)


def test_gaussian_noise_has_the_variance_of_counts() -> None:
    n = 100_000
    clean = np.array([-5.0, 0.0, 2.0, 50.0], np.float32)
    signal = np.repeat(clean, n).reshape(4, 1, n)
    subtracted, unit = np.array([1.0, 2.0, 3.0, 4.0], np.float32), np.array([0.5, 1.0, 2.0, 0.1], np.float32)
    add_counting_noise(signal, subtracted, unit, np.random.default_rng(1), whole=False)
    noise = (signal[:, 0] - clean[:, None]).astype(float)
    expected = (np.maximum(clean, 0) + subtracted) * unit
    assert noise.mean(1) == pytest.approx(np.zeros(4), abs=float(6 * np.sqrt(expected.max() / n)))
    assert noise.var(1) == pytest.approx(expected, rel=6 * np.sqrt(2 / n))
    assert stats.kurtosis(noise, axis=1) == pytest.approx(np.zeros(4), abs=0.1)
    assert np.abs(np.corrcoef(noise) - np.eye(4)).max() < 6 / np.sqrt(n)


def test_one_seed_one_noise() -> None:
    def noise(seed: int) -> np.ndarray:
        signal = np.ones((2, 3, 5), np.float32)
        add_counting_noise(signal, np.zeros(2, np.float32), np.ones(2, np.float32), np.random.default_rng(seed), whole=True)
        return signal

    assert np.array_equal(noise(3), noise(3))
    assert not np.array_equal(noise(3), noise(4))
