"""Addressed draws: nets, scrambles, independence, and that they are worth it."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kstest, qmc

from insml import _core

Array = NDArray[np.float64]


def draws(pixels: int | NDArray[np.uint64], samples: int, dimensions: int = 16, seed: int = 3, *, sobol: bool = True,
          threads: int = 1) -> Array:
    number = np.arange(pixels, dtype=np.uint64) if isinstance(pixels, int) else pixels
    return _core.draws(seed=seed, pixels=number, samples=samples, dimensions=dimensions, sobol=sobol, threads=threads)


def boxes(x: Array, cells: int) -> NDArray[np.intp]:
    return np.floor(x * cells).astype(np.intp)


@pytest.mark.parametrize("m", [0, 1, 4, 7, 10])
def test_one_point_in_each_interval(m: int) -> None:
    x = draws(3, 2**m, 20)
    assert (x > 0).all()
    assert (x < 1).all()
    assert (np.sort(boxes(x, 2**m), axis=1) == np.arange(2**m)[:, None]).all()


def test_first_pair_is_a_net() -> None:
    m = 8
    x, y = draws(4, 2**m, 2)[..., 0], draws(4, 2**m, 2)[..., 1]
    for a in range(m + 1):
        cell = boxes(x, 2**a) * 2 ** (m - a) + boxes(y, 2 ** (m - a))
        assert (np.sort(cell, axis=1) == np.arange(2**m)).all()


def test_scrambles_are_nested_and_the_sequence_is_joe_and_kuos() -> None:
    """Owen's scrambles keep how many leading bits two points share; those of the bare sequence are scipy's."""
    m, d = 7, 20
    bare = qmc.Sobol(d, scramble=False, bits=30).random_base2(m)
    # scipy's are in the order of Gray's code
    n = np.arange(2**m)
    natural = np.empty_like(bare)
    natural[n ^ (n >> 1)] = bare
    mine = draws(2, 2**m, d)

    def shared(x: Array) -> NDArray[np.intp]:
        bits = np.floor(x * 2**m).astype(np.int64)
        apart = bits[:, None] ^ bits[None, :]
        return np.where(apart == 0, 0, np.floor(np.log2(np.maximum(apart, 1))).astype(np.intp) + 1)

    for pixel in mine:
        np.testing.assert_array_equal(shared(pixel), shared(natural))
    # and they are scrambled: not the same order in two pixels
    assert (boxes(mine[0], 2**m) != boxes(mine[1], 2**m)).mean() > 0.9


@pytest.mark.parametrize("sobol", [True, False])
def test_every_single_point_is_uniform(sobol: bool) -> None:
    """Over pixels, and over seeds; the 16 dimensions of a point are independent."""
    x = draws(20000, 3, sobol=sobol)
    for s in range(3):
        assert min(kstest(x[:, s, d], "uniform").pvalue for d in range(16)) > 1e-4
        assert np.abs(np.corrcoef(x[:, s].T) - np.eye(16)).max() < 5 / np.sqrt(20000)
    over = np.array([draws(1, 1, 4, seed, sobol=sobol)[0, 0] for seed in range(4000)])
    assert min(kstest(over[:, d], "uniform").pvalue for d in range(4)) > 1e-4


@pytest.mark.parametrize("sobol", [True, False])
def test_pixels_and_seeds_are_independent(sobol: bool) -> None:
    x = draws(5000, 4, 3, sobol=sobol)
    for other in (draws(5000, 4, 3, seed=4, sobol=sobol), np.roll(x, 1, axis=0), np.roll(x, 256, axis=0)):
        for s in range(4):
            for d in range(3):
                assert abs(np.corrcoef(x[:, s, d], other[:, s, d])[0, 1]) < 5 / np.sqrt(5000)


def test_address_alone_decides() -> None:
    whole = draws(3000, 8)
    assert np.array_equal(whole, draws(3000, 8, threads=2))
    order = np.random.default_rng(0).permutation(3000).astype(np.uint64)
    assert np.array_equal(whole[order.astype(int)], draws(order, 8))
    # fewer samples and fewer dimensions are the first of more
    assert np.array_equal(whole[:50, :5, :4], draws(50, 5, 4))
    far = np.array([2**64 - 1, 2**40], np.uint64)
    assert (draws(far, 8) != whole[:2]).all()


def test_error_falls_faster_than_that_of_random_numbers() -> None:
    def smooth(x: Array) -> Array:
        return np.prod(1 + 0.3 * np.sin(2 * x[..., :4] + 0.3), axis=-1)

    one = 1 + 0.3 * (np.cos(0.3) - np.cos(2.3)) / 2
    error = {(sobol, n): np.sqrt(((smooth(draws(400, n, 4, sobol=sobol)).mean(axis=1) - one**4) ** 2).mean())
             for sobol in (True, False) for n in (16, 256)}
    # n^-1/2 would be a factor 4; Owen's scrambles give n^-3/2 in the end
    assert error[True, 16] / error[True, 256] > 16
    assert error[False, 16] / error[False, 256] == pytest.approx(4, rel=0.15)
    assert error[True, 16] < 0.5 * error[False, 16]
