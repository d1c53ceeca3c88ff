"""The fit object: what is free, what follows, what is shared, and the errors it states."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from ferromagnet_cut import ferromagnet, make

from insml import GeometryError, ModelError
from insml.horace import PixelCut, gauss, gauss_bkgd, linear_bg, lorentz, multifit_func, multifit_sqw, quad_bg
from insml.horace.parameters import Bind, Layout, Part


def with_line(cut: PixelCut, p: tuple[float, ...], sigma: float = 0.0, seed: int = 0) -> PixelCut:
    rng = np.random.default_rng(seed)
    truth = linear_bg(cut.centres[0], p)
    return cut.with_signal(truth + sigma * rng.standard_normal(truth.shape), np.full(truth.shape, max(sigma, 0.1) ** 2))


def test_a_straight_line_is_linear_regression(cut: PixelCut) -> None:
    w = with_line(cut, (1.0, 0.5), 0.2)
    wfit, fp = multifit_func(w).set_bfun(linear_bg, [0.0, 0.0]).fit()
    x, used = w.centres[0], w.measured
    a = np.stack([np.ones(used.sum()), x[used]], axis=1) / 0.2
    covariance = np.linalg.inv(a.T @ a)
    best = covariance @ a.T @ (w.signal[used] / 0.2)
    np.testing.assert_allclose(fp.bp, best, rtol=1e-6)
    np.testing.assert_allclose(fp.covariance, covariance, rtol=1e-6)
    chisq = (((w.signal - wfit.signal)[used] / 0.2) ** 2).sum() / (used.sum() - 2)
    assert fp.chisq == pytest.approx(chisq, rel=1e-9)
    np.testing.assert_allclose(fp.bsig, np.sqrt(np.diag(covariance) * chisq), rtol=1e-6)
    np.testing.assert_allclose(fp.corr[0, 1], covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]), rtol=1e-6)
    assert fp.converged
    # the bootstrap finds the same errors: 400 draws, 3.5 % of scatter
    spread = np.cov(multifit_func(w).set_bfun(linear_bg, [0.0, 0.0]).bootstrap(400, seed=1).T)
    np.testing.assert_allclose(np.sqrt(np.diag(spread)), np.sqrt(np.diag(covariance)), rtol=0.12)


def test_objects_do_not_change(cut: PixelCut) -> None:
    first = multifit_func(with_line(cut, (1.0, 0.5))).set_bfun(linear_bg, [0.0, 0.0])
    second = first.set_bpin([1.0, 0.5]).set_bfree([1, 0])
    np.testing.assert_array_equal(first.simulate().signal, 0.0)
    _, fp = first.fit()
    np.testing.assert_allclose(fp.bp, [1.0, 0.5], rtol=1e-5)
    assert second.fit()[1].bsig[1] == 0.0


def test_local_and_global_functions() -> None:
    cuts = [with_line(make(seed=s), (1.0 + s, 0.5)) for s in (0, 1)]
    kk = multifit_func(cuts).set_bfun(linear_bg, [0.0, 0.0])
    _, fp = kk.fit()
    np.testing.assert_allclose(fp.bp, [[1.0, 0.5], [2.0, 0.5]], rtol=1e-5)
    _, fp = kk.set_global_background().fit()
    assert fp.bp.shape == (2,)
    assert fp.chisq > 10
    # in front: one for all, or one for each
    kk = multifit_func(cuts).set_fun(linear_bg, [0.0, 0.0])
    assert kk.fit()[1].p.shape == (2,)
    _, fp = kk.set_local_foreground().set_pin([[1.0, 0.0], [0.0, 0.0]]).fit()
    np.testing.assert_allclose(fp.p, [[1.0, 0.5], [2.0, 0.5]], rtol=1e-5)
    wfit, _ = kk.set_local_foreground().fit()
    assert isinstance(wfit, list)
    np.testing.assert_allclose(wfit[1].signal, cuts[1].signal, rtol=1e-5)


def test_parameters_follow_others() -> None:
    cuts = [with_line(make(seed=s), (1.0 + s, 0.5)) for s in (0, 1)]
    kk = multifit_func(cuts).set_bfun(linear_bg, [0.5, 0.1]).set_bbind((0, (0, 1), 0.5), (1, (1, 1)))
    _, fp = kk.fit()
    np.testing.assert_allclose(fp.bp, [[1.0, 0.5], [2.0, 0.5]], rtol=1e-5)
    assert fp.covariance.shape == (2, 2)
    assert fp.bsig[0][0] == pytest.approx(0.5 * fp.bsig[1][0])
    # without a ratio that of the starting values; from the background to the front
    kk = multifit_func(cuts[0]).set_fun(linear_bg, [1.0, 0.0], [1, 0]).set_bfun(linear_bg, [0.0, 0.25])
    _, fp = kk.set_bfree([0, 1]).add_bind((1, (1, "back", 0), 1.0)).fit()
    assert fp.p[1] == pytest.approx(fp.bp[1]) == pytest.approx(0.25, rel=1e-5)
    assert kk.clear_bind().binds == ()


def test_chains_and_circles_of_followers() -> None:
    part = Part.of(linear_bg, [1.0, 2.0, 4.0])

    def bind(t: int, s: int, ratio: float | None = None) -> Bind:
        return Bind(("fore", 0, t), ("fore", 0, s), ratio)

    layout = Layout([("fore", 0, part)], [bind(0, 1, 3.0), bind(1, 2)])
    np.testing.assert_allclose(layout.all(np.array([10.0])), [15.0, 5.0, 10.0])
    with pytest.raises(ModelError, match="circle"):
        Layout([("fore", 0, part)], [bind(0, 1), bind(1, 2), bind(2, 0)])
    with pytest.raises(ModelError, match="expected a ratio"):
        Layout([("fore", 0, Part.of(linear_bg, [1.0, 0.0]))], [bind(0, 1)])


def test_masks_leave_bins_out(cut: PixelCut) -> None:
    w = with_line(cut, (1.0, 0.5))
    spoiled = w.with_signal(np.where(np.arange(20) == 7, 50.0, w.signal), w.variance)
    kk = multifit_func(spoiled).set_bfun(linear_bg, [0.0, 0.0])
    assert kk.fit()[1].chisq > 10
    np.testing.assert_allclose(kk.set_mask(np.arange(20) != 7).fit()[1].bp, [1.0, 0.5], rtol=1e-5)
    # bins without a variance do not count either
    gone = w.with_signal(spoiled.signal, np.where(np.arange(20) == 7, 0.0, w.variance))
    np.testing.assert_allclose(multifit_func(gone).set_bfun(linear_bg, [0.0, 0.0]).fit()[1].bp, [1.0, 0.5], rtol=1e-5)


def test_pixels_without_resolution(cut: PixelCut) -> None:
    w = multifit_sqw(cut).set_fun(ferromagnet, [[3.0, 4.0, 5.0]]).simulate()
    value = ferromagnet(*cut.pixels.hkl.T, cut.pixels.energy, np.array([3.0, 4.0, 5.0]))
    for b in (3, 11):
        assert w.signal[b] == pytest.approx(value[cut.bin == b].mean())
    data = w.with_signal(w.signal, np.full(20, 1e-4))
    _, fp = multifit_sqw(data).set_fun(ferromagnet, [[2.5, 4.2, 4.0]]).fit()
    np.testing.assert_allclose(fp.p, [3.0, 4.0, 5.0], rtol=1e-5)


def test_a_jacobian_gives_what_differences_give(cut: PixelCut) -> None:
    def jacobian(x: np.ndarray, p: np.ndarray) -> np.ndarray:
        height, centre, sigma = p
        g = gauss(x, [1.0, centre, sigma])
        z = (x - centre) / sigma
        return np.stack([g, height * g * z / sigma, height * g * z * z / sigma], axis=1)

    x = cut.centres[0]
    middle = float(x.mean())
    w = cut.with_signal(gauss(x, [5.0, middle, 0.1]), np.full(20, 0.01))
    start = [4.0, middle + 0.03, 0.13]
    one, other = (multifit_func(w).set_fun(gauss, start, jacobian=j).fit()[1] for j in (jacobian, None))
    np.testing.assert_allclose(one.p, [5.0, middle, 0.1], rtol=1e-6)
    np.testing.assert_allclose(one.p, other.p, rtol=1e-6)
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-4, atol=1e-4 * np.diag(one.covariance).min())


def test_components(cut: PixelCut) -> None:
    parts = multifit_func(cut).set_fun(gauss, [1.0, 0.5, 0.2]).set_bfun(linear_bg, [1.0, 2.0]).simulate("comp")
    np.testing.assert_allclose(parts["fore"].signal + parts["back"].signal, parts["sum"].signal)
    np.testing.assert_allclose(parts["back"].signal, 1.0 + 2.0 * cut.centres[0])


def test_functions_of_horace() -> None:
    x = np.linspace(-3, 3, 7)
    np.testing.assert_allclose(gauss(x, [2, 1, 0.5]), 2 * np.exp(-2 * (x - 1) ** 2))
    np.testing.assert_allclose(gauss_bkgd(x, [2, 1, 0.5, 3, 4]), gauss(x, [2, 1, 0.5]) + 3 + 4 * x)
    np.testing.assert_allclose(lorentz([1.0, 1.5], [2, 1, 0.5]), [2.0, 1.0])
    np.testing.assert_allclose(quad_bg(x, [1, 2, 3]), 1 + 2 * x + 3 * x**2)
    np.testing.assert_allclose(linear_bg(x, 2 * x, [1, 2, 3]), 1 + 8 * x)


def test_arguments_after_the_parameters(cut: PixelCut) -> None:
    def f(x: np.ndarray, p: np.ndarray, power: int, scale: float = 1.0) -> np.ndarray:
        return scale * p[0] * x**power

    found = multifit_func(cut).set_fun(f, [[2.0], 2, {"scale": 3.0}]).simulate()
    np.testing.assert_allclose(found.signal, 6.0 * cut.centres[0] ** 2)


def test_what_cannot_be_meant_is_refused(cut: PixelCut) -> None:
    kk = multifit_func(cut)
    with pytest.raises(ModelError, match="set_fun: expected a function or a background"):
        kk.fit()
    with pytest.raises(ModelError, match="set_fun: expected before its parameters"):
        kk.set_free([1])
    with pytest.raises(ModelError, match="pin: expected 2 parameters, found 3"):
        kk.set_bfun(linear_bg, [0.0, 0.0]).set_bpin([1.0, 2.0, 3.0])
    with pytest.raises(ModelError, match="free: expected one for each of 2"):
        kk.set_bfun(linear_bg, [0.0, 0.0], [1, 1, 1])
    with pytest.raises(ModelError, match="bind: expected a parameter of the functions"):
        kk.set_bfun(linear_bg, [0.0, 0.0]).set_bbind((0, 5))
    with pytest.raises(ModelError, match="expected one value for each"):
        kk.set_fun(lambda x, p: np.ones(3), [1.0]).simulate()
    with pytest.raises(ModelError, match="expected finite values"):
        kk.set_fun(lambda x, p: x * np.nan, [1.0]).simulate()
    with pytest.raises(ModelError, match="what: expected fore, back, sum or comp"):
        kk.set_fun(gauss, [1.0, 0.0, 1.0]).simulate("front")
    with pytest.raises(ModelError, match="mask: expected the shape"):
        kk.set_mask(np.ones(3))
    few = cut.with_signal(cut.signal, np.where(np.arange(20) == 10, 1.0, 0.0))
    with pytest.raises(ModelError, match="at least as many bins as free parameters, found 1 and 2"):
        multifit_func(few).set_bfun(linear_bg, [0.0, 0.0]).fit()
    with pytest.raises(ModelError, match="expected bins with pixels and a variance"):
        multifit_func(cut.with_signal(cut.signal)).set_bfun(linear_bg, [0.0, 0.0]).fit()
    with pytest.raises(ModelError, match="expected free parameters that change the model"):
        kk.set_fun(lambda x, p: p[0] + 0 * x, [1.0, 2.0]).fit()
    with pytest.raises(GeometryError, match="cut: pixels: expected at least one"):
        PixelCut(cut.pixels[:0], np.zeros(0, int), cut.edges, cut.signal, cut.variance)
    with pytest.raises(GeometryError, match="cut: signal: expected the shape of the bins"):
        cut.with_signal(np.zeros(3))
    with pytest.raises(ModelError, match="data: expected a cut or several"):
        multifit_func([])


def test_bins_are_those_of_their_centres(cut: PixelCut) -> None:
    assert cut.npix.sum() == len(cut.pixels)
    for lo, hi in pairwise(cut.edges[0]):
        assert ((lo + hi) / 2 == cut.centres[0]).any()


def test_what_a_fit_found_is_where_the_next_one_starts() -> None:
    """Arrays of values and of switches, for one background and for two."""
    w = with_line(make(), (1.0, 0.5))
    kk = multifit_func(w).set_bfun(linear_bg, [0.0, 0.0])
    _, fp = kk.fit()
    again = kk.set_bpin(fp.bp).set_bfree(np.array([1, 0]))
    np.testing.assert_allclose(again.simulate().signal, w.signal, atol=1e-6)
    two = multifit_func([w, w]).set_bfun(linear_bg, [0.0, 0.0])
    _, both = two.fit()
    for each in two.set_bpin(both.bp).simulate():
        np.testing.assert_allclose(each.signal, w.signal, atol=1e-6)


def test_parameters_the_data_do_not_tell_apart_have_infinite_errors() -> None:
    def sum_of_two(x: Any, p: Any) -> Any:
        return (p[0] + p[1]) * (1 + 0.5 * x) + p[2]

    w = with_line(make(), (1.0, 0.5))
    _, fp = multifit_func(w).set_fun(sum_of_two, [0.4, 0.3, 0.1]).fit()
    assert np.isinf(fp.sig[:2]).all()
    assert 0 <= fp.sig[2] < np.inf
    assert np.isnan(fp.corr[0, 1:3]).all()
    assert fp.corr[2, 2] == pytest.approx(1)
    _, held = multifit_func(w).set_fun(sum_of_two, [0.4, 0.3, 0.1]).set_free([1, 0, 1]).fit()
    assert np.isfinite(held.sig).all()


def test_as_many_parameters_as_bins_keep_the_errors_of_the_data() -> None:
    w = with_line(make(), (1.0, 0.5))
    shape = w.signal.shape
    keep = np.zeros(shape, bool)
    keep[:2] = True
    _, fp = multifit_func(w).set_bfun(linear_bg, [0.0, 0.0]).set_mask(keep).fit()
    np.testing.assert_allclose(fp.bsig, np.sqrt(np.diag(fp.covariance)))
    assert (fp.bsig > 0).all()


@pytest.mark.parametrize("ask", [
    lambda kk: kk.set_fun(3, [1.0]), lambda kk: kk.set_fun(linear_bg, ["a", "b"]), lambda kk: kk.set_fun([linear_bg] * 2),
    lambda kk: kk.set_fun(linear_bg, [1.0, 2.0]).set_bind(0), lambda kk: kk.set_fun(linear_bg, [1.0, 2.0]).set_bind((0,))])
def test_mistakes_are_named(ask: Any) -> None:
    with pytest.raises(ModelError, match=r"expected .*, found"):
        ask(multifit_func(with_line(make(), (1.0, 0.5))))
