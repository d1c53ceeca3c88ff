"""Fits through the resolution: a real cut against Horace's, and data of our own against the truth."""

import json
from pathlib import Path

import numpy as np
import pytest
from ferromagnet_cut import ferromagnet, make

from insml import FormatError, ModelError, SpinModel
from insml.crystal.lattice import Lattice
from insml.horace import PixelCut, linear_bg, multifit_sqw, tobyfit
from insml.instruments import Sample, maps
from insml.resolution.convolve import Convolution, spin_waves
from insml.resolution.line_shapes import GaussianLine

TRUTH = [30.0, 5.0, 2.0]


def measured(cut: PixelCut, sigma: float = 0.03, seed: int = 3) -> PixelCut:
    """With the 32 points of the fits below: what is left is the data's noise."""
    clean = tobyfit(cut).set_mc_points(32).set_fun(ferromagnet, [TRUTH]).simulate()
    noise = sigma * np.random.default_rng(seed).standard_normal(20)
    return clean.with_signal(clean.signal + 0.3 + noise, np.full(20, sigma**2))


def fe_cut(data: Path, **changes: np.ndarray) -> PixelCut:
    z = dict(np.load(data / "oracles/horace/tobyfit_fe_cut_w110a.npz")) | changes
    runs = z["w110a0_runs_efix_cu_cv_psi_omega_dpsi_gl_gs"]
    return PixelCut.from_sqw(
        pixels=z["w110a0_pix"], npix=z["w110a0_npix"], edges=[z["w110a0_p"]], signal=z["w110a0_s"],
        variance=z["w110a0_e"], runs=runs, energies=z["w110a0_en"], detectors=z["det_group_x2_phi_azim_width_height"],
        lattice=Lattice(*z["w110a0_alatt_angdeg"]), instrument=maps(float(runs[0, 0]), 600),
        sample=Sample((0.04, 0.03, 0.02), (1, 0, 0), (0, 1, 0)))


def iron(h: np.ndarray, k: np.ndarray, l: np.ndarray, e: np.ndarray, p: np.ndarray) -> np.ndarray:  # noqa: E741
    amplitude, sj, fwhm = p
    sigma = fwhm / np.sqrt(8 * np.log(2))
    centre = 8 * sj * (1 - np.cos(np.pi * h) * np.cos(np.pi * k) * np.cos(np.pi * l))
    return np.asarray(amplitude * np.exp(-0.5 * ((e - centre) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi)))


def test_horaces_fits_of_iron(shared_data: Path) -> None:
    """Ten pseudo-random points, as Horace's: its numbers are one draw among ours."""
    cut = fe_cut(shared_data)
    fits = json.loads((shared_data / "oracles/horace/tobyfit_fe_fits_w110a.json").read_text())
    found: list[list[float]] = []
    for seed in range(12):
        kk = tobyfit(cut).set_mc_generator("random").set_mc_points(10).set_mc_seed(seed)
        kk = kk.set_fun(iron, [[30.0, 40.0, 50.0]]).set_bfun(linear_bg, [0.1, 0.0])
        _, one = kk.set_free([1, 0, 0]).set_bfree([1, 0]).fit()
        _, four = kk.fit()
        found.append([one.p[0], one.bp[0], one.chisq, *four.p, *four.bp, four.chisq])
    amplitude, _, _, constant, _ = fits["fp110a1"]["p"][0]
    expected = np.array([amplitude, constant, fits["fp110a1"]["chisq"][0][0], *fits["fp110a4"]["p"][0],
                         *fits["fp110a4"]["bp"][0], fits["fp110a4"]["chisq"][0][0]])
    mean, scatter = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
    assert (np.abs(mean - expected) < 4 * scatter).all()
    np.testing.assert_allclose(mean, expected, rtol=0.08)


def test_damaged_cuts_are_named(shared_data: Path) -> None:
    pixels = np.load(shared_data / "oracles/horace/tobyfit_fe_cut_w110a.npz")["w110a0_pix"]

    def spoiled(column: int, value: float) -> np.ndarray:
        out = pixels.copy()
        out[17, column] = value
        return out

    for column, value, message in ((4, 900.0, "pixels: run: expected 1 to 186"), (5, 99999.0, "pixels: detector"),
                                   (6, 500.0, "pixels: energy bin"), (0, 9.0, "pixels: u1, u2, u3"),
                                   (3, 200.0, "pixels: dE")):
        with pytest.raises(FormatError, match=message):
            fe_cut(shared_data, w110a0_pix=spoiled(column, value))
    with pytest.raises(FormatError, match="npix: expected a sum of 5007"):
        fe_cut(shared_data, w110a0_pix=pixels[1:])


def test_a_known_cut_gives_its_parameters_back() -> None:
    w = measured(make())
    kk = tobyfit(w).set_mc_points(32).set_fun(ferromagnet, [[25.0, 5.2, 3.0]]).set_bfun(linear_bg, [0.1, 0.0], [1, 0])
    wfit, fp = kk.fit()
    assert (np.abs(fp.p - TRUTH) < 4 * np.sqrt(np.diag(fp.covariance)[:3])).all()
    assert fp.bp[0] == pytest.approx(0.3, abs=4 * np.sqrt(fp.covariance[3, 3]))
    assert 0.2 < fp.chisq < 2.5
    # without resolution the line looks wider than it is
    _, blind = multifit_sqw(w).set_fun(ferromagnet, [[25.0, 5.2, 3.0]]).set_bfun(linear_bg, [0.1, 0.0], [1, 0]).fit()
    assert blind.p[2] > fp.p[2] + 3 * fp.sig[2]
    assert np.abs(wfit.signal - w.signal).max() < 0.5
    # the same again, bit for bit; a little else with another seed
    assert np.array_equal(kk.fit()[1].p, fp.p)
    other = kk.set_mc_seed(9).fit()[1].p
    assert not np.array_equal(other, fp.p)
    # more points, less of that
    def difference(samples: int) -> float:
        one, two = (kk.set_mc_points(samples).set_mc_seed(s).simulate().signal for s in (1, 2))
        return float(np.sqrt(((one - two) ** 2).mean()))

    assert difference(512) < 0.35 * difference(32)


def test_errors_of_the_covariance_are_those_of_the_bootstrap() -> None:
    kk = tobyfit(measured(make())).set_mc_points(32).set_fun(ferromagnet, [TRUTH]).set_bfun(linear_bg, [0.3, 0.0], [1, 0])
    _, fp = kk.fit()
    spread = kk.bootstrap(100, seed=4).std(axis=0, ddof=1)
    # 100 draws: 7 % of scatter
    np.testing.assert_allclose(spread, np.sqrt(np.diag(fp.covariance)), rtol=0.28)


def test_contributions_are_chosen_as_in_horace() -> None:
    kk = tobyfit(make()).set_fun(ferromagnet, [TRUTH])
    bare = multifit_sqw(make()).set_fun(ferromagnet, [TRUTH]).simulate()
    np.testing.assert_allclose(kk.set_mc_contributions("none").simulate().signal, bare.signal, rtol=1e-12)
    some = kk.set_mc_contributions("nomoderator", "nosample")
    assert "moderator" not in (some.contributions or ())
    assert some.contributions == kk.set_mc_contributions(
        "aperture", "chopper", "detector_area", "detector_depth", "energy_bin", "mosaic").contributions
    assert np.array_equal(kk.set_mc_contributions("all").simulate().signal, kk.simulate().signal)
    with pytest.raises(ModelError, match="contributions: expected 'all', 'none', names of"):
        kk.set_mc_contributions("nogravity")


def test_two_cuts_share_a_model() -> None:
    cuts = [measured(make(seed=s), seed=s) for s in (0, 1)]
    kk = tobyfit(cuts).set_mc_points(32).set_fun(ferromagnet, [[25.0, 5.2, 3.0]]).set_bfun(linear_bg, [0.1, 0.0], [1, 0])
    wfit, fp = kk.fit()
    assert len(wfit) == len(fp.bp) == 2
    assert (np.abs(fp.p - TRUTH) < 4 * np.sqrt(np.diag(fp.covariance)[:3])).all()


def test_pieces_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    from insml.horace import monte_carlo as module

    kk = tobyfit(make()).set_fun(ferromagnet, [TRUTH])
    whole = kk.simulate().signal
    monkeypatch.setattr(module, "_CHUNK", 333)
    monkeypatch.setattr(module, "_KEPT", 0)
    assert np.array_equal(tobyfit(make()).set_fun(ferromagnet, [TRUTH]).simulate().signal, whole)


def test_a_spin_model_in_front() -> None:
    """A ferromagnet of spin 1 on a square lattice: S_perp and E in closed form."""
    cut = make(runs=1)

    def s(h: np.ndarray, k: np.ndarray, l: np.ndarray, e: np.ndarray, p: np.ndarray) -> np.ndarray:  # noqa: E741
        model = SpinModel(lattice_vectors=3.0 * np.eye(3), positions=[[0, 0, 0]], spins=[[0, 0, 1.0]],
                          bonds=[(0, 0, (1, 0, 0), -p[0] * np.eye(3)), (0, 0, (0, 1, 0), -p[0] * np.eye(3))])
        energy, strength = spin_waves(model)(h, k, l)
        return np.asarray((strength * GaussianLine(p[1])(e[:, None], energy)).sum(axis=1))

    def closed(h: np.ndarray, k: np.ndarray, l: np.ndarray, e: np.ndarray, p: np.ndarray) -> np.ndarray:  # noqa: E741
        energy = 2 * p[0] * (2 - np.cos(2 * np.pi * h) - np.cos(2 * np.pi * k))
        polarisation = 1 + l**2 / (h**2 + k**2 + l**2)
        return np.asarray(0.5 * polarisation * GaussianLine(p[1])(e, energy))

    one, other = (tobyfit(cut).set_fun(f, [[10.0, 4.0]]).simulate().signal for f in (s, closed))
    np.testing.assert_allclose(one, other, rtol=1e-8)


def test_refined_crystal() -> None:
    """Data of a lattice 1 % longer along a and b: found, with the ratio kept."""
    cut = make()
    model = tobyfit(cut).set_mc_points(8).set_fun(ferromagnet, [TRUTH], [0, 0, 0])
    free = [1, 0, 0, 0, 0, 0, 0, 0, 1]
    kk = model.set_refine_crystal(free=free, fix_alatt_ratio=True)
    refined = kk.refined[0].with_pin([3.03, 3.03, 3.03, 90, 90, 90, 0, 0, 0.4])
    from dataclasses import replace

    clean = replace(kk, refined=(refined,)).simulate()
    data = clean.with_signal(clean.signal, np.full(20, 0.01))
    fit = tobyfit(data).set_mc_points(8).set_fun(ferromagnet, [TRUTH], [0, 0, 0])
    _, fp = fit.set_refine_crystal(free=free, fix_alatt_ratio=True).fit()
    assert fp.refined is not None
    assert fp.refined["a"][0] == pytest.approx(3.03, abs=1e-4) == fp.refined["b"][0]
    assert fp.refined["rotation z"][0] == pytest.approx(0.4, abs=1e-2)


def test_refined_moderator() -> None:
    cut = make(runs=1)
    model = tobyfit(cut).set_mc_points(8).set_fun(ferromagnet, [[30.0, 5.0, 3.0]], [0, 0, 0])
    kk = model.set_refine_moderator()
    start = kk.refined[0].pin
    np.testing.assert_allclose(start, [70 / np.sqrt(60), 0, 0])
    np.testing.assert_allclose(kk.simulate().signal, model.simulate().signal, rtol=1e-10)
    from dataclasses import replace

    clean = replace(kk, refined=(kk.refined[0].with_pin([14.0, 0, 0]),)).simulate()
    data = clean.with_signal(clean.signal, np.full(20, 0.01))
    _, fp = tobyfit(data).set_mc_points(8).set_fun(ferromagnet, [[30.0, 5.0, 3.0]], [0, 0, 0]).set_refine_moderator().fit()
    assert fp.refined is not None
    assert fp.refined["tau_f"][0] == pytest.approx(14.0, rel=1e-3)


def test_convolution_of_the_fit_is_the_convolution() -> None:
    cut = make(runs=1)
    value = tobyfit(cut).set_mc_points(8).convolution().mean(lambda h, k, l, e: h)  # noqa: E741
    assert np.array_equal(value, Convolution(cut.pixels, samples=8).mean(lambda h, k, l, e: h))  # noqa: E741
