"""Bins, resolution, powders, twins, parameters."""

from pathlib import Path

import numpy as np
import pytest

from insml.errors import ModelError, UnstableStructureError
from insml.spinw import (
    SpinW,
    Struct,
    sw_egrid,
    sw_fitpowder,
    sw_instrument,
    sw_model,
    sw_neutron,
    sw_omegasum,
    sw_readspec,
    sw_tofres,
)


def chain(J: float = -1.0, field: float = 0.0) -> SpinW:
    """Ferromagnetic chain along a, E = 2 |J| (1 - cos 2 pi h) + g muB B."""
    sw = SpinW()
    sw.genlattice(lat_const=[3, 8, 8])
    sw.addatom(r=[0, 0, 0], S=1, label="MCu2")
    sw.gencoupling(maxDistance=4)
    sw.addmatrix(label="J", value=J)
    sw.addcoupling(mat="J", bond=1)
    sw.genmagstr(mode="direct", S=[0, 0, 1])
    sw.field([0, 0, field])
    return sw


def synthetic(omega: list[float], sperp: list[float]) -> Struct:
    """One point of Q with given modes."""
    sw = SpinW()
    return Struct(omega=np.array(omega)[:, None], Sperp=np.array(sperp)[:, None], obj=sw, hkl=np.ones((3, 1)),
                  hklA=np.ones((3, 1)), gtensor=False)


def test_bins_hold_the_modes_of_energy_loss_at_zero_temperature() -> None:
    spec = sw_egrid(synthetic([1.0, 2.05, -1.0], [3.0, 4.0, 5.0]), Evect=[-2, 0, 1.5, 2, 3])
    assert spec.swConv[:, 0].tolist() == [0, 3, 0, 4]
    assert spec.swInt[:, 0].tolist() == [3, 4, 5]
    centred = sw_egrid(synthetic([1.0, 2.05, -1.0], [3.0, 4.0, 5.0]), Evect=[1, 2, 3], binType="cbin")
    assert centred.Evect.tolist() == [0.5, 1.5, 2.5, 3.5]
    assert centred.swConv[:, 0].tolist() == [3, 4, 0]


def test_bins_stay_or_reach_beyond_the_highest_mode() -> None:
    spec = sw_egrid(synthetic([1.0, 2.0], [3.0, 4.0]))
    np.testing.assert_allclose(spec.Evect, np.linspace(0, 2.2, 501))
    assert spec.swConv.sum() == pytest.approx(7)
    again = sw_egrid(sw_egrid(spec, Evect=[0, 1.5]), component="Sperp", binType="cbin")
    assert again.Evect.tolist() == [0, 1.5]
    for wrong in ([1.0], [1.0, 1.0], [0.0, np.nan]):
        with pytest.raises(ModelError, match="Evect: expected at least two different energies"):
            sw_egrid(spec, Evect=wrong)
    with pytest.raises(ModelError, match="dE: expected one width, one for each of 1 bins or a function, found 2"):
        sw_egrid(spec, Evect=[0, 1], dE=[0.1, 0.2])


def test_detailed_balance() -> None:
    """Loss and gain of a mode differ by exp(E / kT), each at the energy of the mode wherever the bins lie."""
    spec = sw_egrid(synthetic([1.3, -1.3], [2.0, 2.0]), Evect=[-3, 0, 1, 4], T=10.0)
    kT = 0.086173324 * 10
    n = 1 / np.expm1(1.3 / kT)
    np.testing.assert_allclose(spec.swConv[:, 0], [2 * n, 0, 2 * (n + 1)])


def test_modes_can_be_chosen_or_are_left_out() -> None:
    modes = synthetic([1.0, 2.0, 1e-4], [3.0, 4.0, 50.0])
    for options, wanted in (({}, 7), ({"modeIdx": [2]}, 4), ({"zeroEnergyTol": 1e-6}, 57), ({"maxDSF": 3.5}, 3)):
        assert sw_egrid(modes, Evect=[0, 3], **options).swConv[0, 0] == pytest.approx(wanted)


def test_widths_are_full_widths_at_half_maximum() -> None:
    edges = np.linspace(0, 10, 2001)
    for dE in (0.5, lambda e: 0.5 + 0 * e, np.full(2000, 0.5)):
        spec = sw_egrid(synthetic([5.0], [2.0]), Evect=edges, dE=dE)
        line = spec.swConv[:, 0]
        above = (edges[1:] + edges[:-1])[line > line.max() / 2] / 2
        assert np.ptp(above) == pytest.approx(0.5, abs=0.01)
        assert line.sum() == pytest.approx(2.0)
    delta = sw_egrid(synthetic([5.0], [2.0]), Evect=edges)
    seen = sw_instrument(delta, dE=0.5)
    np.testing.assert_allclose(seen.swConv, spec.swConv, atol=2e-4)
    np.testing.assert_array_equal(seen.swRaw, delta.swConv)
    twice = sw_instrument(seen, dE=0.5)
    np.testing.assert_array_equal(twice.swConv, seen.swConv)
    again = sw_instrument(seen, dE=0.5, useRaw=False)
    assert again.swConv.max() == pytest.approx(seen.swConv.max() / np.sqrt(2), rel=1e-3)


def test_every_point_of_a_path_is_broadened() -> None:
    edges = np.linspace(-1, 6, 71)
    spec = sw_egrid(chain().spinwave([[0.1, 0, 0], [0.4, 0, 0], 7]), Evect=edges)
    seen = sw_instrument(spec, dE=0.4)
    np.testing.assert_allclose(seen.swConv.sum(axis=0), spec.swConv.sum(axis=0), rtol=1e-6)
    assert seen.swConv.max() < spec.swConv.max() / 3
    step = np.linalg.norm(spec.hklA[:, 1] - spec.hklA[:, 0])
    along = sw_instrument(spec, dQ=step)
    share = np.exp(-4 * np.log(2) * np.arange(-3, 4) ** 2.0)
    np.testing.assert_allclose(along.swConv[:, 3], spec.swConv @ share / share.sum(), atol=1e-9)


def test_a_table_of_widths_is_fitted_with_a_polynomial() -> None:
    edges = np.linspace(0, 10, 1001)
    table = np.column_stack([np.linspace(0, 10, 6), 0.3 + 0.1 * np.linspace(0, 10, 6)])
    seen = sw_instrument(sw_egrid(synthetic([5.0], [1.0]), Evect=edges), dE=table, polDeg=1)
    wanted = sw_egrid(synthetic([5.0], [1.0]), Evect=edges, dE=0.8)
    np.testing.assert_allclose(seen.swConv, wanted.swConv, atol=3e-4)


def test_angles_that_are_not_reached() -> None:
    """At E = 0, Q = 2 ki sin(theta / 2)."""
    ki = np.sqrt(20 / 2.0721248)
    q = 2 * ki * np.sin(np.radians([9.9, 10.1, 119.9, 120.1]) / 2)
    flat = Struct(swConv=np.ones((1, 4)), hklA=q, Evect=np.array([-1e-6, 1e-6]))
    for fixed in ({"Ei": 20.0}, {"ki": ki}, {"Ef": 20.0}, {"kf": ki}):
        seen = sw_instrument(flat, thetaMin=10, thetaMax=120, **fixed).swConv
        assert np.isnan(seen[0]).tolist() == [True, False, False, True]


def test_absolute_units() -> None:
    """(g gamma r0 / 2)^2 = 290.6 mbarn for g = 2, per meV."""
    spec = sw_egrid(synthetic([1.0], [1.0]), Evect=[0, 0.5, 3])
    assert sw_instrument(spec, norm=True).swConv[1, 0] == pytest.approx(290.6 / 2.5, rel=1e-3)
    spec.gtensor = True
    assert sw_instrument(spec, norm=True).swConv[1, 0] == pytest.approx(290.6 / 4 / 2.5, rel=1e-3)


def test_degenerate_modes_are_merged() -> None:
    spec = sw_egrid(synthetic([2.0, 1.0, 1.0 + 1e-7, -1.0], [1.0, 2.0, 3.0, 9.0]), Evect=[0, 3])
    merged = sw_omegasum(spec)
    np.testing.assert_allclose(merged.omega[:, 0], [1, 2, np.nan, np.nan], atol=1e-6)
    np.testing.assert_allclose(merged.swInt[:, 0], [5, 1, np.nan, np.nan])
    bright = sw_omegasum(spec, zeroint=1.5, emptyval=0)
    np.testing.assert_allclose(bright.omega[:, 0], [1, 0, 0, 0], atol=1e-6)


def test_components() -> None:
    q = np.array([[0.2, 0.1, 0.0], [0.35, 0.0, 0.2]]).T
    spec = sw_egrid(chain().spinwave(q), component=["Sxx+2*Syy", "Szz", "Sperp"], Evect=[0, 10])
    total, along, perp = spec.swConv
    np.testing.assert_allclose(total[0], 1.5)
    np.testing.assert_allclose(along[0], 0, atol=1e-12)
    Q = spec.hklA
    # unpolarised cross section of a ferromagnet along z
    np.testing.assert_allclose(perp[0], (1 + Q[2] ** 2 / (Q**2).sum(axis=0)) / 2)
    with pytest.raises(ModelError, match=r"component: expected the field Mab for 'Mxx', found none; use sw_neutron"):
        sw_egrid(spec, component="Mxx", Evect=[0, 1])
    with pytest.raises(ModelError, match="component"):
        sw_egrid(spec, component="Sxq", Evect=[0, 1])


def test_polarised_cross_sections_of_a_ferromagnet() -> None:
    """A mode of a ferromagnet along z precesses one way: for Q along z all of it is chiral."""
    sw = chain(field=1.0)
    spec = sw_neutron(sw.spinwave(np.array([[0.2], [0.0], [0.5]])), pol=True, uv=[[1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(spec.param.n, [0, -1, 0], atol=1e-12)
    along = sw_neutron(sw.spinwave(np.array([[0.0], [0.0], [0.5]])), pol=True, n=[0, 1, 0])
    assert along.Sperp[0, 0] == pytest.approx(1.0)
    assert abs(along.intP[0, 0, 0] - 1) == pytest.approx(1.0)
    assert along.intP[1, 0, 0] == pytest.approx(1.0)
    for s in (spec, along):
        np.testing.assert_allclose((s.Mab[1, 1] + s.Mab[2, 2]).real, s.Sperp)
        np.testing.assert_allclose(s.Pab[0, 0], -s.intP[0])
    with pytest.raises(ModelError, match="expected a spectrum with Sab"):
        sw_neutron(sw.spinwave([0.1, 0, 0], fastmode=True))


def test_fast_modes_are_those_of_energy_loss() -> None:
    q = np.array([[0.1, 0.37], [0.2, 0.0], [0.0, 0.3]])
    sw = chain(field=2.0)
    full, fast, both = sw_neutron(sw.spinwave(q)), sw.spinwave(q, fastmode=True), sw.spinwave(q, neutron_output=True)
    np.testing.assert_allclose(fast.omega, full.omega[:1])
    np.testing.assert_allclose(fast.Sperp, full.Sperp[:1], atol=1e-12)
    np.testing.assert_allclose(both.Sperp, full.Sperp, atol=1e-12)
    assert "Sab" not in fast


def test_energies_of_a_scan_on_a_grid() -> None:
    q = np.stack(np.meshgrid([0.1, 0.2, 0.3], [0.0, 0.5], [0.0], indexing="ij"))[..., 0]
    spec = sw_egrid(chain().spinwave(q), Evect=np.linspace(0, 5, 6))
    assert spec.omega.shape == (2, 3, 2)
    assert spec.swConv.shape == (5, 3, 2)
    np.testing.assert_allclose(spec.omega[0], 2 * (1 - np.cos(2 * np.pi * q[0])), atol=1e-9)


def test_formula_units_divide_intensities() -> None:
    sw = chain()
    one = sw.spinwave([0.2, 0, 0], fastmode=True)
    sw.genlattice(nformula=4)
    np.testing.assert_allclose(sw.spinwave([0.2, 0, 0], fastmode=True).Sperp, one.Sperp / 4)


def test_form_factor_and_g_tensor_scale_intensities() -> None:
    from insml.spinw import sw_mff

    sw = chain(field=3.0)
    bare = sw_neutron(sw.spinwave([0.2, 0.3, 0]))
    with_ff = sw_neutron(sw.spinwave([0.2, 0.3, 0], formfact=True))
    F = sw_mff("MCu2", [np.linalg.norm(bare.hklA)])
    np.testing.assert_allclose(with_ff.Sperp, bare.Sperp * F**2)
    sw.addmatrix(label="g", value=np.diag([3, 3, 3]))
    sw.addg("g")
    with_g = sw_neutron(sw.spinwave([0.2, 0.3, 0], gtensor=True))
    np.testing.assert_allclose(with_g.Sperp, 9 * bare.Sperp)
    np.testing.assert_allclose(with_g.omega[0] - bare.omega[0], 0.057883818066 * 3)


def test_an_unstable_structure_names_the_place() -> None:
    sw = chain(J=1.0)
    with pytest.raises(UnstableStructureError):
        sw.spinwave([[0.1, 0, 0], [0.4, 0, 0], 5])
    spec = sw.spinwave([[0.1, 0, 0], [0.4, 0, 0], 5], hermit=False)
    assert spec.omega.shape == (2, 5)


def test_twins() -> None:
    """A chain along a turned by 90 degrees about z disperses along b* of a square cell."""
    sw = SpinW()
    sw.genlattice(lat_const=[3, 3, 8])
    sw.addatom(r=[0, 0, 0], S=1)
    sw.gencoupling(maxDistance=4)
    sw.addmatrix(label="J", value=-1)
    sw.addcoupling(mat="J", bond=1, subIdx=1)
    along = int(np.argmax(np.abs(sw.coupling.dl[:, np.flatnonzero(sw.coupling.mat_idx[0])[0]])))
    sw.genmagstr(mode="direct", S=[0, 0, 1])
    sw.addtwin("axis", [0, 0, 1], "phid", 90, "vol", 3)
    q = np.array([[0.13], [0.29], [0.0]])
    spec = sw.spinwave(q)
    energies = 2 * (1 - np.cos(2 * np.pi * q[:2, 0]))
    assert [w[0, 0] for w in spec.omega] == pytest.approx([energies[along], energies[1 - along]])
    np.testing.assert_allclose(np.abs(sw.twinq(q)[1][:, 0]), [0.29, 0.13, 0], atol=1e-12)
    binned = sw_egrid(sw_neutron(spec), Evect=[0, energies.mean(), 5])
    lower = 0.25 if energies[along] < energies[1 - along] else 0.75
    np.testing.assert_allclose(binned.swConv[:, 0] / binned.swConv.sum(), [lower, 1 - lower])
    assert sw.spinwave(q, notwin=True).omega.shape == (2, 1)
    w, s = sw.horace(*q)
    assert sorted(float(x[0]) for x in w) == pytest.approx(sorted(energies))
    assert sum(float(x[0]) for x in s) == pytest.approx(binned.swConv.sum())
    with pytest.raises(ModelError, match="rotC: expected orthogonal"):
        sw.addtwin(rotC=2 * np.eye(3))


def test_horace_takes_parameters_and_leaves_the_object_alone() -> None:
    sw = chain()
    qh = np.linspace(0.1, 0.4, 6).reshape(2, 3)
    w, s = sw.horace(qh, 0 * qh, 0 * qh, "component", "Sperp", "param", [-2.0], "mat", ["J"])
    assert len(w) == len(s) == 1
    np.testing.assert_allclose(w[0], 4 * (1 - np.cos(2 * np.pi * qh)), atol=1e-9)
    again, _ = sw.horace(qh, 0 * qh, 0 * qh, [-3.0], mat=["J"])
    np.testing.assert_allclose(again[0], 1.5 * w[0], atol=1e-9)
    assert sw.matrix.mat[0, 0, 0] == -1
    by_hand, _ = sw.horace(qh, 0 * qh, 0 * qh, param=5.0, parfunc=lambda obj, B: obj.field([0, 0, B]))
    np.testing.assert_allclose(by_hand[0], w[0] / 2 + 2 * 0.057883818066 * 5, atol=1e-9)
    both, _ = sw.horace(qh, 0 * qh, 0 * qh, useFast=False)
    assert len(both) == 2
    _, trace = sw.horace(qh, 0 * qh, 0 * qh, component="Sxx+Syy")
    np.testing.assert_allclose(trace[0], 1.0)
    _, strong = sw.horace(qh, 0 * qh, 0 * qh, component="Sxx+Syy", norm=True, dE=0.5)
    np.testing.assert_allclose(strong[0], 290.6 / 0.5, rtol=1e-3)
    with pytest.raises(ModelError, match="dE: expected the bin width"):
        sw.horace(qh, 0 * qh, 0 * qh, norm=True)


def test_powder_average_of_a_chain() -> None:
    """The mean of S_perp over directions is 2/3, and the cosine of Q with the chain, which gives the energy, isotropic."""
    q = np.array([1.5])
    spec = chain().powspec(q, Evect=np.linspace(0, 4.5, 10), nRand=3000, fibo=True)
    assert spec.swConv.shape == (9, 1)
    assert spec.swConv.sum() == pytest.approx(2 / 3, abs=5e-3)  # 0.5 % of the modes lie below zeroEnergyTol
    x = np.linspace(-1, 1, 20001)  # cosine of Q with a, isotropic
    energy = 2 * (1 - np.cos(1.5 * 3 * x))
    # azimuth about a averages (1 + Qz^2/Q^2)/2 to (1 + (1 - x^2)/2)/2
    weight = (1 + (1 - x**2) / 2) / 2
    wanted = np.histogram(energy, np.linspace(0, 4.5, 10), weights=weight)[0] / len(x)
    np.testing.assert_allclose(spec.swConv[:, 0], wanted, atol=4e-3)
    random = chain().powspec(q, Evect=np.linspace(0, 4.5, 10), nRand=3000)
    np.testing.assert_allclose(random.swConv[:, 0], wanted, atol=0.02)
    with pytest.raises(ModelError, match="Evect: expected the edges"):
        chain().powspec(q)
    with pytest.raises(ModelError, match="field: expected none for a powder"):
        chain(field=1.0).powspec(q, Evect=[0, 1])


def test_boxes_of_q() -> None:
    spec = sw_egrid(sw_neutron(chain().spinwave([[0.25, 0.1, 0], [0.3, 0.1, 0], 2])), Evect=np.linspace(0, 4.2, 200))
    thin = sw_tofres(spec, dQ=1e-9, nQ=2)
    np.testing.assert_allclose(thin.swConv.sum(axis=0), spec.swConv.sum(axis=0), atol=1e-6)
    wide = sw_tofres(spec, dQ=[0.1, 0, 0], nQ=[40, 1, 1])
    centre = (spec.Evect[1:] + spec.Evect[:-1]) / 2
    seen = centre[wide.swConv[:, 0] > 0]
    low, high = 2 * (1 - np.cos(2 * np.pi * np.array([0.2, 0.3])))
    assert seen.min() == pytest.approx(low, abs=0.04)
    assert seen.max() == pytest.approx(high, abs=0.04)


def test_models() -> None:
    tri = sw_model("triAF", 1)
    np.testing.assert_allclose(np.minimum(tri.magstr().k, 1 - tri.magstr().k)[:2], 1 / 3, atol=1e-4)
    assert tri.energy() == pytest.approx(-1.5)
    square = sw_model("squareAF", [1, 0.1])
    assert square.energy() == pytest.approx(-2 + 0.2)
    assert square.magstr().N_ext.tolist() == [2, 2, 1]
    assert sw_model("chain", -1).nmagext == 1
    assert sw_model("chain").nmagext == 0
    with pytest.raises(ModelError, match="expected one of triAF, squareAF, chain"):
        sw_model("kagome")


def test_fit_of_mode_energies(tmp_path: Path) -> None:
    h = np.array([0.1, 0.2, 0.3, 0.4])
    energy = 2 * 1.3 * (1 - np.cos(2 * np.pi * h)) + 2 * 0.057883818066 * 4
    rows = [f"{x} 0 0 0 10 1 {e:.6f} 0.1 0 0 0" for x, e in zip(h, energy, strict=True)]
    path = tmp_path / "modes.txt"
    path.write_text("QH QK QL minE maxE I1 E1 s1 I2 E2 s2\n" + "\n".join(rows) + "\n[Sxx+Syy] [0 0 1]\n" + rows[0])
    data = sw_readspec(path)
    assert [block.corr for block in data] == ["Sperp", "Sxx+Syy"]
    assert data[0].nMode.tolist() == [1] * 4

    def change(obj: SpinW, x: np.ndarray) -> None:
        obj.matparser(param=[-x[0]], mat=["J"])
        obj.field([0, 0, x[1]])

    sw = chain(field=1.0)
    fit = sw.fitspec(func=change, datapath=str(path), Evect=np.linspace(0, 10, 100), x0=[0.7, 1.0], xmin=[0.1, 0],
                     xmax=[5, 9])
    np.testing.assert_allclose(fit.x[0], [1.3, 4.0], rtol=1e-3)
    assert fit.redX2[0] < 1e-6
    assert sw.matrix.mat[0, 0, 0] == pytest.approx(-1.3, rel=1e-3)
    assert (fit.sigma > 0).all()
    with pytest.raises(ModelError, match="fitspec: expected func, datapath and Evect"):
        sw.fitspec(func=change)
    with pytest.raises(ModelError, match="optimizer: expected 'lm', 'simplex' or 'pso', found 'newton'"):
        sw.fitspec(func=change, datapath=data, Evect=[0, 1], x0=[1, 1], optimizer="newton")


def test_fit_of_a_powder() -> None:
    energy, q = np.linspace(0.25, 5.75, 12), np.linspace(0.5, 2, 5)
    truth = chain(J=-1.2).powspec(q, Evect=energy, binType="cbin", nRand=100, fibo=True, dE=0.8)
    y = 3 * truth.swConv + 0.05
    fit = sw_fitpowder(chain(), {"x": (energy, q), "y": y.T, "e": np.ones_like(y).T},
                       lambda obj, p: obj.matparser(param=p, mat=["J"]), [-1.0])
    fit.powspec_args.update(nRand=100, dE=0.8, formfact=False)
    fit.fix_bg_parameters([1, 2])
    fit.set_model_parameter_bounds(1, [-2], [-0.5])
    fit.estimate_constant_background()
    fit.estimate_scale_factor()
    result = fit.fit()
    np.testing.assert_allclose(result.x, [-1.2, 0, 0, 0.05, 3], atol=2e-3)
    assert result.errors[1:3].tolist() == [0, 0]
    with pytest.raises(ModelError, match="model parameter: expected numbers from 1 to 1, found 2"):
        fit.fix_model_parameters(2)
    fit.replace_2D_data_with_1D_cuts([0.4], [2.1])
    assert fit.y.shape == (12, 1)


def test_horace_sqw_is_the_modes_of_horace_with_a_width() -> None:
    """Each line shape at its centre and at half its width, and its area; parameters in SpinW's order."""
    sw, qh = chain(), np.array([0.1, 0.3])
    w, s = sw.horace(qh, 0 * qh, 0 * qh, param=[-2.0], mat=["J"])
    pars = [-2.0, 0.4, 3.0]
    top = 3.0 * s[0] * 2 * np.sqrt(np.log(2) / np.pi) / 0.4
    np.testing.assert_allclose(sw.horace_sqw(qh, 0 * qh, 0 * qh, w[0], pars, "mat", ["J"], "resfun", "gauss"), top)
    np.testing.assert_allclose(sw.horace_sqw(qh, 0 * qh, 0 * qh, w[0] + 0.2, pars, mat=["J"]), top / 2)
    np.testing.assert_allclose(sw.horace_sqw(qh, 0 * qh, 0 * qh, w[0] - 0.2, pars, mat=["J"], resfun="lor"),
                               3.0 * s[0] / np.pi / 0.4)
    en = np.linspace(-50, 60, 40001)
    mixed = sw.horace_sqw(0.1, 0.0, 0.0, en, [-2.0, 0.4, 0.3], mat="J", resfun="voigt")
    assert np.trapezoid(mixed, en) == pytest.approx(s[0][0], rel=2e-3)  # what the tails of the Lorentzian leave out
    twice = sw.horace_sqw(qh, 0 * qh, 0 * qh, w[0], [-1.0, 0.4, 3.0], mat=["J"], partrans=lambda x: 2 * x,
                          coordtrans=np.diag([1, 5, 5, 1]))
    np.testing.assert_allclose(twice, top)
    with pytest.raises(ModelError, match="resfun: expected one of gauss, lor, voigt, found 'sho'"):
        sw.horace_sqw(qh, 0 * qh, 0 * qh, w[0], pars, mat=["J"], resfun="sho")
    with pytest.raises(ModelError, match="pars: expected 1 for mat, 1 for resfun 'gauss' and perhaps a scale, found 1"):
        sw.horace_sqw(qh, 0 * qh, 0 * qh, w[0], [-2.0], mat=["J"])
