"""What a valid study means, once read."""

import numpy as np
import pytest

from insml.errors import ModelError
from insml.mosaic import SliceSpec
from insml.resolution import GaussianBroadening
from insml.study import Background, Integrated, Kinematic


def test_every_part_of_the_chain(study_from):
    study = study_from()
    assert list(study.candidates) == ["uniform", "alternating"]
    assert study.lattice.b == 8.0
    up, down = study.structure.sites
    assert up.spin == (0.0, 0.0, 0.5)
    assert down.spin == (0.0, 0.0, -0.5)  # direction [0, 0, -2], length from magnetic.spin
    np.testing.assert_allclose(study.layout.axes[0].edges, np.arange(9) / 4)
    np.testing.assert_allclose(study.layout.axes[1].centres, [-1, -0.5, 0, 0.5, 1])
    assert study.layout.slices == (SliceSpec((2.0, 4.0)), SliceSpec((4.0, 7.0)))
    assert study.third == Integrated((-1.0, 1.0), 4)
    assert study.broadening == GaussianBroadening((0.5,), (0.02, 0.03))
    assert study.background == Background(("constant",))
    assert study.form_factor
    assert study.scale == "slice"
    assert study.training.images == 40
    assert study.data.hot_pixel_sigma is None
    assert study.candidates["alternating"].title == "alternating"


def test_twins_are_normalised_and_turn_the_right_way(study_from):
    first, second = study_from().structure.twins
    assert (first.weight, second.weight) == (0.75, 0.25)
    assert first.rotation == ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    np.testing.assert_allclose(np.array(second.rotation) @ [1, 0, 0], [0, 1, 0], atol=1e-15)


def test_energies_of_the_model(study_from):
    """The classical energy of the listed bonds, each once, plus anisotropy, is what the formula says."""
    study = study_from()
    values = {"J": 4.0, "D": -0.25}
    model = study.candidates["uniform"].model(values)
    spins = [np.array(site["spin"]) for site in model["sites"]]
    energy = sum(spins[b["i"]] @ np.array(b["J"]) @ spins[b["j"]] for b in model["bonds"])
    assert energy == pytest.approx(-2 * 4.0 * 0.25)  # two bonds in a cell of two spins, S^2 = 1/4
    energy = sum(s @ np.array(site["aniso"]) @ s for s, site in zip(spins, model["sites"], strict=True))
    assert energy == pytest.approx(-2 * 0.25 * 0.25)
    assert model["supercell"] == [2, 1, 1]
    np.testing.assert_allclose(model["lattice_vectors"], np.diag([3.0, 8.0, 9.0]), atol=1e-14)
    assert [len(site["ff"]) for site in model["sites"]] == [11, 11]
    assert len(model["twins"]) == 2


def test_explicit_pairs_and_expressions(study_from):
    model = study_from().candidates["alternating"].model({"J": 5.0, "delta": 0.5})
    assert [(b["i"], b["j"], b["dl"]) for b in model["bonds"]] == [(0, 1, [0, 0, 0]), (1, 0, [1, 0, 0])]
    np.testing.assert_allclose([np.diag(b["J"]) for b in model["bonds"]], [[5.5] * 3, [4.5] * 3])
    assert "aniso" not in model["sites"][0]


def test_reference_is_the_middle_of_the_prior_where_none_is_given(study_from):
    assert study_from().candidates["uniform"].reference == {"J": 4.0, "D": -0.5}


@pytest.mark.parametrize(("between", "first"), [('["up", "down"]', 0), ('["d*", ["up", "down"]]', 1)])
def test_matrix_exchange_and_dm(study_from, between, first):
    study = study_from(('exchange = "J"\nshell = 1',
                        f'exchange = ["J", "J", "2*J"]\ndm = [0, 0, "D"]\nshell = 1\nbetween = {between}'))
    model = study.candidates["uniform"].model({"J": 3.0, "D": -0.5})
    assert len(model["bonds"]) == 2
    for bond in model["bonds"]:
        assert bond["i"] == first  # which end comes first decides the sign of the DM vector
        j = np.array(bond["J"])
        rng = np.random.default_rng(0)
        si, sj = rng.normal(size=(2, 3))
        expected = 3.0 * (si[0] * sj[0] + si[1] * sj[1]) + 6.0 * si[2] * sj[2] - 0.5 * np.cross(si, sj)[2]
        assert si @ j @ sj == pytest.approx(expected)


def test_distance_instead_of_shell(study_from):
    by_shell = study_from()
    by_distance = study_from(("shell = 1", "distance = 3.0"))
    assert by_shell.candidates["uniform"].bonds == by_distance.candidates["uniform"].bonds


def test_positions_in_the_chemical_cell(study_from):
    magnetic = study_from()
    chemical = study_from(("spin = 0.5", 'spin = 0.5\npositions = "chemical"'),
                          ("position = [0.5, 0.0, 0.0]", "position = [1, 0.0, 0.0]"))
    assert chemical.digest == magnetic.digest


def test_displacements_count_in_the_same_cell_as_positions(study_from):
    filters = 'shell = 1\nbetween = ["up", "down"]\ndisplacement = '
    half = study_from(("shell = 1", filters + '[0.5, "*", "*"]'))
    one = study_from(("shell = 1", filters + '[1, 0, 0]'), ("spin = 0.5", 'spin = 0.5\npositions = "chemical"'),
                     ("position = [0.5, 0.0, 0.0]", "position = [1, 0.0, 0.0]"))
    backwards = study_from(("shell = 1", filters + '["-", "*", "*"]'))
    assert [b.dl for b in half.candidates["uniform"].bonds] == [(0, 0, 0)]
    assert half.candidates["uniform"].bonds == one.candidates["uniform"].bonds
    assert [(b.i, b.dl) for b in backwards.candidates["uniform"].bonds] == [(0, (-1, 0, 0))]


def test_slices_by_incident_energy_and_kinematic_third(study_from):
    study = study_from(
        ("energy = [2.0, 4.0, 7.0]", "ei = [20.0, 50.0]\nfractions = [0.1, 0.4]"),
        ('kind = "integrated"\nrange = [-1.0, 1.0]\nsamples = 4', 'kind = "kinematic"\nki = [0, 0, 1]'),
        ("[background]", '[fit]\nscale = "ei"\n[background]'),
        ('kind = "gaussian"\nenergy_fwhm = [0.5]\nq_fwhm = [0.02, 0.03]',
         'kind = "direct-geometry"\ninstrument = "maps"\nversion = 1\npackage = "S"\nfrequency = [300, 200]'),
    )
    assert study.layout.slices == (SliceSpec((2.0, 8.0), 20.0), SliceSpec((5.0, 20.0), 50.0))
    assert study.third == Kinematic((0.0, 0.0, 1.0))
    assert study.scale == "ei"
    assert study.broadening.frequency == {20.0: 300.0, 50.0: 200.0}


def test_g_and_own_form_factor(study_from):
    study = study_from(('label = "up"', 'label = "up"\ng = 2.2\nform_factor = [1, 2, 3, 4, 5, 6, 7]'))
    up, down = study.structure.sites
    assert up.g == ((2.2, 0, 0), (0, 2.2, 0), (0, 0, 2.2))
    assert up.form_factor == (1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 7)
    assert down.g is None


def test_without_form_factor_no_ion_is_needed(study_from):
    study = study_from(('ion = "Cu2+"', "form_factor = false"))
    assert not study.form_factor
    assert "ff" not in study.candidates["uniform"].model({"J": 1.0, "D": 0.0})["sites"][0]


@pytest.mark.parametrize(("values", "named"), [
    ({"J": 1.0}, "found no D"), ({"J": 1.0, "D": 0.0, "j": 1.0}, "unknown j"), ({"J": float("nan"), "D": 0.0}, "J"),
])
def test_wrong_values_are_a_model_error(study_from, values, named):
    with pytest.raises(ModelError, match=named):
        study_from().candidates["uniform"].model(values)


@pytest.mark.parametrize("changes", [
    (), (('title = "Antiferromagnetic chain"', 'title = "AFM"\nnotes = "n"'),),
    (("reference = 4.0", "reference = 5.0"),), (('["-k", "+h"]', '["+h", "-k"]'),),
    (("grid = [2, 2]", "grid = [1, 2]"),), (("weight = 3\n", "weight = 6\n"), ("weight = 1\n", "weight = 2.0\n")),
    (("pairs = [[1, 0, 1, 0, 0]]", "pairs = [[0, 1, -1, 0, 0]]"),),
    (("shell = 1", "pairs = [[1, 0, 1, 0, 0], [1, 0, 0, 0, 0]]"),),
    (('terms = ["constant"]', 'terms = ["constant", "q2"]'),),
    (('"J + delta"', '"delta + (2*J)/2"'),), (("[training]", "[data]\nhot_pixel_sigma = 5\n[training]"),),
])
def test_digest_is_stable_against_what_does_not_matter(study_from, changes):
    assert study_from(*changes).digest == study_from().digest


@pytest.mark.parametrize("change", [
    ("a = 3.0", "a = 3.001"), ("spin = 0.5", "spin = 1.0"), ('ion = "Cu2+"', 'ion = "Ni2+"'),
    ('moment = "+c"', 'moment = "+b"'), ("angle = 90", "angle = 89"), ("weight = 3", "weight = 2"),
    ("stop = 2.0, n = 8", "stop = 2.0, n = 9"), ("7.0]", "7.5]"), ("samples = 4", "samples = 5"),
    ("[0.02, 0.03]", "[0.02, 0.04]"),
    ("images = 40", "images = 41"), ("prior = [0.0, 10.0], reference", "prior = [0.0, 11.0], reference"),
    ('value = "D"', 'value = "2*D"'), ('"J - delta"', '"J"'), ('name = "uniform"', 'name = "even"'),
    ('exchange = "J"\nshell = 1', 'exchange = "J"\nshell = 2'),
])
def test_digest_changes_with_what_matters(study_from, change):
    assert study_from(change).digest != study_from().digest


def test_digest_knows_which_way_a_dm_bond_points(study_from):
    dm = 'dm = [0, 0, "D"]\npairs = [[0, 1, 0, 0, 0]]'
    forward = study_from(('exchange = "J"\nshell = 1', dm)).digest
    assert study_from(('exchange = "J"\nshell = 1', dm.replace("0, 1, 0, 0, 0", "1, 0, 0, 0, 0"))).digest != forward
    turned = dm.replace("0, 1, 0, 0, 0", "1, 0, 0, 0, 0").replace('"D"', '"-D"')
    assert study_from(('exchange = "J"\nshell = 1', turned)).digest == forward
