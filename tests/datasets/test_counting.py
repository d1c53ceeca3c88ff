import numpy as np
import pytest
from scipy import stats

from insml.datasets.counting import whole_counts


@pytest.mark.parametrize("mean", [0.0, 0.4, 3.0, 7.9, 8.0, 11.3, 30.0, 400.0])
def test_counts_are_poisson(mean: float) -> None:
    rng = np.random.default_rng(5)
    n = 400_000
    counts = whole_counts(np.full(n, mean, np.float32), rng.standard_normal(n, np.float32), rng)
    assert counts.dtype == np.float32
    assert (counts >= 0).all()
    assert np.array_equal(counts, np.round(counts))
    k = np.arange(int(mean + 10 * np.sqrt(mean)) + 3)
    below = np.searchsorted(np.sort(counts), k, side="right") / n
    # 0.003 of the expansion, and five standard deviations of the mean of so many
    assert np.abs(below - stats.poisson(mean).cdf(k)).max() < 0.003 + 2.5 / np.sqrt(n)
    if mean > 0:
        assert counts.mean() == pytest.approx(mean, abs=5 * np.sqrt(mean / n) + 0.005)
        assert counts.var() == pytest.approx(mean, rel=0.02 + 8 / np.sqrt(n))
        assert stats.skew(counts) == pytest.approx(1 / np.sqrt(mean), abs=0.03)
