"""Components of the correlations, and polarised cross sections against SpinW's numbers and exact invariances."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from insml.errors import GeometryError, ModelError
from insml.spinwave import SpinModel
from insml.spinwave.components import component, needs_tensor, parse
from insml.spinwave.polarised import blume_maleev_axes, plane_normal, polarised


def oracle(shared_data):
    folder = shared_data / "oracles" / "lswt"
    model = SpinModel.from_dict(json.loads((folder / "C30_polarised.json").read_text())["model"])
    with np.load(folder / "C30_polarised.npz") as file:
        return model, {name: file[name] for name in file.files}


def canted(turn=None):
    """Two canted spins with exchange, DM and anisotropy in a field: no symmetry at all."""
    R = np.eye(3) if turn is None else turn
    J = np.eye(3) + 0.2 * np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 0]])
    spins = np.array([[0.8, 0.1, 0.59], [-0.8, -0.2, 0.56]])
    spins /= np.linalg.norm(spins, axis=1)[:, None]
    return SpinModel(
        lattice_vectors=np.array([[4, 0, 0], [0.5, 5, 0], [0.2, 0.3, 6]]) @ R.T, positions=[[0, 0, 0], [0.3, 0.4, 0.1]],
        spins=spins @ R.T, bonds=[(0, 1, (0, 0, 0), R @ J @ R.T), (1, 0, (0, 1, 0), R @ J.T @ R.T),
                                  (0, 0, (1, 0, 0), -0.3 * np.eye(3))],
        anisotropy=np.stack([R @ (-3 * np.outer(s, s)) @ R.T for s in spins]), field=R @ [0.0, 0.0, 3.0])


Q = np.array([[0.3, 0.2, 0.0], [0.0, 0.0, 0.0], [0.7, -0.4, 0.0], [-0.2, 1.1, 0.0]])


def test_spinw_numbers(shared_data):
    model, ref = oracle(shared_data)
    normal = plane_normal(model.lattice_vectors, [1, 0, 0], [0, 1, 0])
    spectrum = model.spectrum(ref["q"], tensor=True)
    pol = polarised(spectrum, normal)
    for at in range(len(ref["q"])):
        order = np.argsort(ref["omega"][at])[5:]  # the positive ones, ascending
        np.testing.assert_allclose(pol.energy[at], ref["omega"][at][order], atol=1e-6)
        np.testing.assert_allclose(pol.incident[at], ref["intP"][at][order], atol=2e-6)
        np.testing.assert_allclose(pol.final[at], ref["Pab"][at][order], atol=2e-6)
        np.testing.assert_allclose(pol.matrix[at], ref["Mab"][at][order], atol=2e-6)


def test_half_the_trace_is_what_an_unpolarised_beam_sees_at_q_0_too():
    spectrum = canted().spectrum(Q)
    np.testing.assert_allclose(polarised(spectrum, [0, 0, 1]).unpolarised, spectrum.intensity, atol=1e-12)
    last = canted().spectrum(Q[:2])  # Q = 0 with nothing after it: along x
    np.testing.assert_allclose(polarised(last, [0, 0, 1]).unpolarised, last.intensity, atol=1e-12)


def test_axes_are_right_handed_with_x_along_q():
    V = canted().lattice_vectors
    axes = blume_maleev_axes(Q[[0, 2, 3]], V, plane_normal(V, [1, 0, 0], [0, 1, 0]))
    np.testing.assert_allclose(axes @ axes.transpose(0, 2, 1), np.tile(np.eye(3), (3, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(axes), 1)
    cartesian = Q[[0, 2, 3]] @ np.linalg.inv(V).T
    np.testing.assert_allclose(axes[:, 0], cartesian / np.linalg.norm(cartesian, axis=1)[:, None], atol=1e-12)


def test_turning_crystal_spins_field_and_normal_together_changes_nothing():
    R = Rotation.from_euler("zyx", [0.4, -1.1, 2.0]).as_matrix()
    normal = plane_normal(canted().lattice_vectors, [1, 0, 0], [0, 1, 0])
    one, other = polarised(canted().spectrum(Q), normal), polarised(canted(R).spectrum(Q), R @ normal)
    np.testing.assert_allclose(other.matrix[[0, 2, 3]], one.matrix[[0, 2, 3]], atol=1e-9)


def test_what_the_plane_cannot_change():
    spectrum = canted().spectrum(Q[[0, 2]])
    one, other = polarised(spectrum, [0, 0, 1]), polarised(spectrum, [0.3, 0.5, 0.7])
    np.testing.assert_allclose(one.chiral, other.chiral, atol=1e-12)
    assert np.abs(one.chiral).max() > 0.01
    assert np.abs(one.final - other.final).max() > 0.01


@pytest.mark.parametrize("up", [1, -1])
def test_a_ferromagnet_along_q_scatters_one_spin_state_only(up):
    chain = SpinModel(lattice_vectors=4 * np.eye(3), positions=[[0, 0, 0]], spins=[[0, 0, up]],
                      bonds=[(0, 0, (0, 0, 1), -np.eye(3))])
    pol = polarised(chain.spectrum([[0, 0, 0.3]]), [1, 0, 0])
    # vectors of the model are moments, opposite to electron spins: a magnon adds one unit of spin along the moments, which
    # only neutrons with their spin along them can give
    np.testing.assert_allclose(pol.incident[0, 0], [1 + up, 1, 1], atol=1e-12)
    np.testing.assert_allclose(pol.final[0, 0, 0], [-1 - up, -up, -up], atol=1e-12)


def test_a_normal_is_needed_and_must_not_lie_along_q():
    spectrum = canted().spectrum([[0.3, 0, 0]])
    for normal, message in ((None, "found none"), ([0, 0, 0], "expected a direction"),
                            (spectrum.q[0] @ np.linalg.inv(spectrum.lattice_vectors).T, "not along Q")):
        with pytest.raises(GeometryError, match=message):
            polarised(spectrum, normal)
    with pytest.raises(GeometryError, match="two directions"):
        plane_normal(np.eye(3), [1, 0, 0], [2, 0, 0])


@pytest.mark.parametrize(("text", "terms"), [
    ("Sperp", {"Sperp": 1}), ("Sxx+2*Syy", {"Sxx": 1, "Syy": 2}), ("-Mzz", {"Mzz": -1}),
    ("Pxy + 0.33*Pyz", {"Pxy": 1, "Pyz": 0.33}), ("2Sxx-Syz*.5", {"Sxx": 2, "Syz": -0.5}),
    ("Px-Py", {"Px": 1, "Py": -1}), ("Sxx+Sxx", {"Sxx": 2}), ("1e-2*Sxy", {"Sxy": 0.01}),
])
def test_component_text(text, terms):
    assert parse(text) == pytest.approx(terms)


@pytest.mark.parametrize("text", [
    "", "Sxw", "S", "Sxx Syy", "Sxx**2", "Sxx*Syy", "2", "Sxx+", "__import__('os')", "sxx", "Sxx+3",
])
def test_other_text_is_refused(text):
    with pytest.raises(ModelError, match="component: expected"):
        parse(text)


def test_components_of_a_spectrum():
    spectrum, n = canted().spectrum(Q[[0, 2]]), [0, 0, 1]
    S, pol = spectrum.tensor, polarised(spectrum, n)
    np.testing.assert_allclose(component(spectrum, "Sxx+2*Syz"), (S[..., 0, 0] + 2 * S[..., 1, 2]).real)
    np.testing.assert_allclose(component(spectrum, "Mxx+Myy+Mzz", normal=n), np.trace(S, axis1=2, axis2=3).real)
    np.testing.assert_allclose(component(spectrum, "Px-Py", normal=n), pol.chiral, atol=1e-14)
    mixed = pol.final[..., 0, 1] + 0.33 * pol.final[..., 1, 2]
    np.testing.assert_allclose(component(spectrum, "Pxy+0.33*Pyz", normal=n), mixed)
    np.testing.assert_allclose(component(spectrum, "0.5*Sperp"), spectrum.intensity / 2)
    assert needs_tensor("Sperp+Sxx")
    assert not needs_tensor("2*Sperp")
