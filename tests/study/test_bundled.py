"""The two studies that come with insml state what the publications do."""

import json
from pathlib import Path

import numpy as np
import pytest

import insml.studies.manganite as manganite
from insml.errors import InsmlError, ModelError
from insml.study import Kinematic, bundled
from insml.study.neighbours import canonical, group, pairs_within

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
SPECIAL = {"JF1": -11.39, "JA": 1.5, "JF2": -1.35, "JF3": 1.25, "Jperp": 0.88,
           "JFS": -14.2, "JFW": -8.43, "JA1": 1.52, "JA2": 1.47}  # all different, so that a value names a parameter


@pytest.fixture(scope="module")
def manganite_study():
    return bundled("manganite")


@pytest.fixture(scope="module")
def square():
    return bundled("square_antiferromagnet")


@pytest.mark.parametrize("name", ["manganite", "square_antiferromagnet"])
def test_fixtures_are_the_bundled_studies(name):
    assert (FIXTURES / f"{name}.toml").resolve() == bundled(name).path


@pytest.mark.parametrize("candidate", ["goodenough", "dimer"])
def test_rules_give_the_published_bonds(manganite_study, shared_data, candidate):
    """Shells and filters against the explicit list of the published study's bonds."""
    listed = json.loads((shared_data / "pcsmo" / f"bonds_{candidate}.json").read_text())
    expected = {canonical(b["i"], b["j"], tuple(b["dl"])): SPECIAL[b["J"]] for b in listed}
    assert len(expected) == len(listed)
    model = manganite_study.candidates[candidate].model(
        {p: SPECIAL.get(p, 0.07) for p in manganite_study.candidates[candidate].names})
    found = {canonical(b["i"], b["j"], tuple(b["dl"])): b["J"][0][0] for b in model["bonds"]}
    assert len(found) == len(model["bonds"]) == {"goodenough": 56, "dimer": 40}[candidate]
    assert found == expected
    for bond in model["bonds"]:
        np.testing.assert_array_equal(bond["J"], bond["J"][0][0] * np.eye(3))


def test_shell_table_of_the_manganite(manganite_study):
    structure = manganite_study.structure
    shells = group(pairs_within(structure.cell, structure.positions, 8.0))
    assert [round(s.length, 4) for s in shells] == [3.8424, 3.8532, 5.408, 5.4416, 5.4599, 6.6403, 6.6826, 7.6849]
    assert [len(shells[n].pairs) for n in (0, 1, 2, 3, 4, 7)] == [32, 8, 16, 32, 16, 32]


def test_manganite_image(manganite_study):
    layout = manganite_study.layout
    assert layout.shape == (240, 400)
    np.testing.assert_allclose(layout.axes[1].centres, np.linspace(-1, 1, 40), atol=1e-14)
    np.testing.assert_allclose(layout.axes[0].edges[[0, -1]], [-1.0 - 1 / 39, 1.0 + 1 / 39])
    first, second, last = layout.slices[0], layout.slices[10], layout.slices[59]
    np.testing.assert_allclose([*first.energy, *second.energy, *last.energy], [2.5, 4, 3.5, 5.6, 89.6, 98])
    assert [s.ei for s in layout.slices[::10]] == [25, 35, 50, 70, 100, 140]
    assert manganite_study.third == Kinematic((0.0, 0.0, 1.0))
    assert manganite_study.broadening.frequency == {25: 300, 35: 200, 50: 200, 70: 250, 100: 300, 140: 400}


def test_manganite_priors_and_form_factors(manganite_study):
    for candidate in manganite_study.candidates.values():
        priors = {p.name: p.prior for p in candidate.parameters}
        assert priors["Jperp"] == (0.0, 3.0)
        assert priors["D"] == (0.0, 0.2)
    assert manganite_study.candidates["dimer"].reference["JFS"] == -14.2
    sites = manganite_study.structure.sites
    assert sites[0].form_factor == (.3760, 12.5661, .6602, 5.1329, -.0372, .5630, 0, 0, 0, 0, .0011)
    assert sites[8].form_factor == (.4198, 14.2829, .6054, 5.4689, .9241, -.0088, 0, 0, 0, 0, -.9498)


@pytest.mark.parametrize(("name", "length"), [("manganite", 1.75), ("square_antiferromagnet", 1.5)])
def test_moments_cancel(name, length):
    spins = np.array([s.spin for s in bundled(name).structure.sites])
    np.testing.assert_array_equal(spins.sum(axis=0), 0.0)
    np.testing.assert_allclose(np.linalg.norm(spins, axis=1), length)


@pytest.mark.parametrize("name", ["manganite", "square_antiferromagnet"])
def test_twins_are_proper_and_share_equally(name):
    twins = bundled(name).structure.twins
    assert [t.weight for t in twins] == [0.5, 0.5]
    for twin in twins:
        r = np.array(twin.rotation)
        np.testing.assert_allclose(r @ r.T, np.eye(3), atol=1e-15)
        assert np.linalg.det(r) == pytest.approx(1.0)
    np.testing.assert_allclose(np.abs(np.array(twins[1].rotation) @ [1, 0, 0]), [0, 1, 0], atol=1e-15)  # a onto b


def test_square_bonds_frustrate_as_they_should(square):
    """Classical energy per spin: z J1 S^2/2 from the order, J2 against it; D S^2."""
    spins = np.array([s.spin for s in square.structure.sites])

    def energy(candidate, **values):
        model = square.candidates[candidate].model(values)
        bonds = sum(spins[b["i"]] @ np.array(b["J"]) @ spins[b["j"]] for b in model["bonds"])
        return (bonds + sum(s @ np.array(m["aniso"]) @ s for s, m in zip(spins, model["sites"], strict=True))) / 4

    assert energy("neel", J1=10.0, J2=0.0, D=0.0) == pytest.approx(-2 * 10.0 * 2.25)
    assert energy("neel", J1=0.0, J2=1.0, D=0.0) == pytest.approx(2 * 2.25)
    assert energy("neel", J1=0.0, J2=0.0, D=-0.1) == pytest.approx(-0.1 * 2.25)
    assert energy("alternating", J1=10.0, J1p=0.0, D=0.0) == pytest.approx(-1.5 * 10.0 * 2.25)
    assert energy("alternating", J1=0.0, J1p=10.0, D=0.0) == pytest.approx(-0.5 * 10.0 * 2.25)


def test_alternating_bonds_lie_in_turn_along_a(square):
    """Every site has one J1 and one J1p neighbour along a, two J1 neighbours along b; equal J1 is the Neel model."""
    structure = square.structure
    model = square.candidates["alternating"].model({"J1": 1.0, "J1p": 5.0, "D": 0.0})
    along = {n: [] for n in range(4)}
    for b in model["bonds"]:
        step = (structure.positions[b["j"]] + b["dl"] - structure.positions[b["i"]]) * structure.supercell
        for end in (b["i"], b["j"]):
            along[end].append(("a" if abs(step[0]) > 0.5 else "b", b["J"][2][2]))
    assert all(sorted(bonds) == [("a", 1.0), ("a", 5.0), ("b", 1.0), ("b", 1.0)] for bonds in along.values())

    def set_of(model):
        return {(canonical(b["i"], b["j"], tuple(b["dl"])), b["J"][0][0]) for b in model["bonds"]}

    uniform = square.candidates["neel"].model({"J1": 1.0, "J2": 9.0, "D": 0.0})
    equal = square.candidates["alternating"].model({"J1": 1.0, "J1p": 1.0, "D": 0.0})
    assert {b for b in set_of(uniform) if b[1] == 1.0} == set_of(equal)


def test_square_bins_are_those_of_the_measurement(square, shared_data):
    h5py = pytest.importorskip("h5py")
    with h5py.File(shared_data / "lasrcro4" / "LaSrCrO4_experiment_data_normalized.nxs") as f:
        h, energy = (f[f"MDHistoWorkspace/data/{d}"][()] for d in ("D0", "D3"))
    np.testing.assert_allclose(square.layout.axes[0].edges, h, atol=1e-6)
    edges = np.array([s.energy for s in square.layout.slices])
    assert np.abs(edges[..., None] - energy).min(axis=-1).max() < 1e-6


def test_manganite_module_refuses_what_does_not_exist():
    assert manganite.STUDY is manganite.STUDY
    with pytest.raises(InsmlError, match="table, exact, covariance, coarse covariance, gaussian or None"):
        manganite.simulate("dimer", resolution="brille")
    with pytest.raises(ModelError, match="goodenough, dimer"):
        manganite.simulate("dymer")


@pytest.mark.parametrize("candidate", ["goodenough", "dimer"])
def test_spin_waves_of_the_manganite_at_the_reference_values(manganite_study, shared_data, candidate):
    """Energies and form-factor weighted intensities computed independently, one twin, per magnetic cell."""
    points = json.loads((shared_data / "pcsmo" / "lswt_reference_points.json").read_text())[candidate]
    spinwave = pytest.importorskip("insml.spinwave")
    model = manganite_study.candidates[candidate].model(manganite_study.candidates[candidate].reference)
    del model["twins"]
    q = np.array([p["q_mag_rlu"] for p in points]) / manganite_study.structure.supercell
    spectrum = spinwave.SpinModel.from_dict(model).spectrum(q, form_factor=True)
    np.testing.assert_allclose(np.sort(spectrum.energy), np.sort([p["omega"] for p in points]), atol=2e-6)
    chemical_cells = np.prod(manganite_study.structure.supercell)
    np.testing.assert_allclose(chemical_cells * np.sum(spectrum.intensity, axis=1),
                               [sum(p["Sperp_ff"]) for p in points], rtol=2e-6)


def test_manganite_module_simulates_the_published_values():
    """Values left out are the published ones; another value gives another image."""
    image = manganite.simulate("goodenough", {"D": 0.074})
    assert image.values.shape == (240, 400)
    assert image.values.min() >= 0.0
    assert image.values.max() > 0.0
    np.testing.assert_array_equal(image.values, manganite.simulate("goodenough").values)
    assert not np.allclose(image.values, manganite.simulate("goodenough", {"JF1": -9.0}).values)
    with pytest.raises(ModelError, match="JF1"):
        manganite.simulate("dimer", {"JF1": -9.0})
