"""Each mistake gives one StudyError on one line, which names the file, the key, what was expected and what found."""

from pathlib import Path

import pytest

from insml.errors import StudyError
from insml.study import bundled, load

BOND = 'exchange = "J"\nshell = 1'
THIRD = 'kind = "integrated"\nrange = [-1.0, 1.0]\nsamples = 4'
GAUSSIAN = 'kind = "gaussian"\nenergy_fwhm = [0.5]\nq_fwhm = [0.02, 0.03]'
MAPS = 'kind = "direct-geometry"\ninstrument = "maps"\nversion = 1\npackage = "S"\nfrequency = 300'
SLICES = "energy = [2.0, 4.0, 7.0]"

MISTAKES = [
    # key, word in the message, changes
    ("file", "valid TOML", [("[lattice]", "[lattice")]),
    ("latice", "did you mean lattice", [("[lattice]", "[latice]")]),
    ("lattice.aa", "unknown key aa", [("a = 3.0", "aa = 3.0")]),
    ("candidates[0].parameters.J.priors", "did you mean prior", [("J = { prior", "J = { priors")]),
    ("lattice.b", "no such key", [("b = 8.0\n", "")]),
    ("lattice.a", "'3.0'", [("a = 3.0", 'a = "3.0"')]),
    ("lattice.a", "above 0", [("a = 3.0", "a = -3.0")]),
    ("lattice.a", "nan", [("a = 3.0", "a = nan")]),
    ("lattice.a", "true", [("a = 3.0", "a = true")]),
    ("lattice.gamma", "180", [("c = 9.0", "c = 9.0\ngamma = 180")]),
    ("lattice.alpha", "volume", [("c = 9.0", "c = 9.0\nalpha = 30\nbeta = 30\ngamma = 90")]),
    ("lattice", "a table", [("[lattice]\na = 3.0\nb = 8.0\nc = 9.0", "lattice = 3")]),
    ("name", "letters", [('name = "chain"', 'name = "my chain"')]),
    ("magnetic.supercell", "commensurate", [("[2, 1, 1]", "[2.5, 1, 1]")]),
    ("magnetic.supercell", "whole", [("[2, 1, 1]", "[2, 1]")]),
    ("magnetic.positions", "'chemical'", [("spin = 0.5", 'spin = 0.5\npositions = "crystal"')]),
    ("magnetic.spin", "no such key", [("spin = 0.5\n", "")]),
    ("magnetic.ion", "Cu2+", [('ion = "Cu2+"', 'ion = "Cu7+"')]),
    ("magnetic.ion", "Mn3+", [('ion = "Cu2+"', 'ion = "copper"')]),
    ("magnetic.ion", "tabulated", [('ion = "Cu2+"', 'ion = "He2+"')]),
    ("sites[0].ion", "form_factor", [('ion = "Cu2+"\n', "")]),
    ("sites[0].form_factor", "only one of", [('label = "up"', 'label = "up"\nion = "Cu2+"\nform_factor = [1]')]),
    ("sites[0].form_factor", "7, 9 or 11", [('label = "up"', 'label = "up"\nform_factor = [1, 2]')]),
    ("sites[1].position", "inside", [("[0.5, 0.0, 0.0]", "[1.0, 0.0, 0.0]")]),
    ("sites[1].position", "[0, 2)", [("[0.5, 0.0, 0.0]", "[2.5, 0.0, 0.0]"),
                                      ("spin = 0.5", 'spin = 0.5\npositions = "chemical"')]),
    ("sites[1].position", "one site at each place", [("[0.5, 0.0, 0.0]", "[0.0, 0.0, 0.0]")]),
    ("sites[1].moment", "not zero", [("[0, 0, -2]", "[0, 0, 0]")]),
    ("sites[0].moment", "'up'", [('"+c"', '"up"')]),
    ("sites[0].g", "3x3", [('label = "up"', 'label = "up"\ng = [2, 2]')]),
    ("sites[0].labels", "did you mean label", [('label = "up"', 'labels = "up"')]),
    ("twins[0].rotation", "orthogonal", [("weight = 3", "weight = 3\nrotation = [[0, 1, 0], [1, 0, 0], [0, 0, 0]]")]),
    ("twins[0].rotation", "3x3", [("weight = 3", "weight = 3\nrotation = [[0, 1, 0], [1, 0]]")]),
    ("twins[1].angle", "no such key", [("angle = 90\n", "")]),
    ("twins[1].axis", "no such key", [('axis = "c"\nangle', "angle")]),
    ("twins[0].weight", "above 0", [("weight = 3", "weight = 0")]),
    ("mosaic.u.edges.stop", "above start", [("stop = 2.0, n = 8", "stop = -2.0, n = 8")]),
    ("mosaic.u.edges.n", "whole number", [("n = 8", "n = 8.5")]),
    ("mosaic.u.edges", "ascending", [("edges = { start = 0.0, stop = 2.0, n = 8 }", "edges = [0, 2, 1]")]),
    ("mosaic.u.centres", "only one of", [("n = 8 }", "n = 8 }\ncentres = { start = 0, stop = 1, n = 3 }")]),
    ("mosaic.u.edges", "one of edges, centres", [("edges = { start = 0.0, stop = 2.0, n = 8 }\n", "")]),
    ("mosaic.v.label", "differs", [('label = "k"', 'label = "h"')]),
    ("mosaic.third.vector", "plane", [("vector = [0, 0, 1]", "vector = [1, 1, 0]")]),
    ("mosaic.third.range", "low < high", [("range = [-1.0, 1.0]", "range = [1.0, 1.0]")]),
    ("mosaic.third.ki", "integrated", [("samples = 4", "samples = 4\nki = [0, 0, 1]")]),
    ("mosaic.third.kind", "without ei", [(THIRD, 'kind = "kinematic"\nki = [0, 0, 1]')]),
    ("mosaic.third.kind", "'kinematic'", [('kind = "integrated"', 'kind = "sum"')]),
    ("mosaic.slices.energy", "ascending", [(SLICES, "energy = [2.0, 7.0, 4.0]")]),
    ("mosaic.slices.energy", "below ei", [(SLICES, SLICES + "\nei = 5.0")]),
    ("mosaic.slices.ei", "a list of numbers", [(SLICES, "fractions = [0.1, 0.2]")]),
    ("mosaic.slices.ei", "each once", [(SLICES, "fractions = [0.1, 0.2]\nei = [20, 20]")]),
    ("mosaic.slices.fractions", "below 1", [(SLICES, "fractions = [0.1, 1.2]\nei = 20")]),
    ("mosaic.grid", "room for 2", [("grid = [2, 2]", "grid = [1, 1]")]),
    ("mosaic.orientation", "+h", [('["-k", "+h"]', '["-k", "h"]')]),
    ("mosaic.orientation", "each label once", [('["-k", "+h"]', '["-k", "+k"]')]),
    ("mosaic.orientation", "no such key", [('orientation = ["-k", "+h"]\n', "")]),
    ("resolution.kind", "'gaussian' or 'direct-geometry'", [('kind = "gaussian"', 'kind = "voigt"')]),
    ("resolution.energy_fwhm", "positive", [("energy_fwhm = [0.5]", "energy_fwhm = [0.5, -0.1]")]),
    ("resolution.package", "beside kind = 'gaussian'", [("q_fwhm", 'package = "S"\nq_fwhm')]),
    ("resolution.kind", "without ei", [(GAUSSIAN, MAPS)]),
    ("resolution.frequency", "each of the 2 ei", [(GAUSSIAN, MAPS.replace("300", "[300]")),
                                                  (SLICES, "fractions = [0.1, 0.2]\nei = [20, 30]")]),
    ("resolution", "instrument", [(GAUSSIAN, MAPS.replace("maps", "mops")), (SLICES, SLICES + "\nei = 20")]),
    ("background.terms", "each at most once", [('["constant"]', '["constant", "linear"]')]),
    ("fit.scale", "without ei", [("[background]", '[fit]\nscale = "ei"\n[background]')]),
    ("data.hot_pixel_sigma", "above 0", [("[training]", "[data]\nhot_pixel_sigma = 0\n[training]")]),
    ("training.images", "whole number", [("images = 40", "images = 0")]),
    ("training.mask_fraction", "below 1", [("images = 40", "mask_fraction = [0, 1]")]),
    ("training.relative_noise", "above 0", [("images = 40", "relative_noise = [0, 1]")]),
    ("candidates[1].name", "different name", [('name = "alternating"', 'name = "uniform"')]),
    ("candidates[0].parameters", "one entry", [("J = { prior = [0.0, 10.0], reference = 4.0 }\n"
                                                "D = { prior = [-1.0, 0.0] }\n", "")]),
    ("candidates[0].parameters.J.prior", "low < high", [("[0.0, 10.0], ref", "[10.0, 0.0], ref")]),
    ("candidates[0].parameters.J.reference", "inside the prior", [("reference = 4.0", "reference = 40.0")]),
    ("candidates[0].parameters.lambda", "letters", [("D = { prior", "lambda = { prior")]),
    ("candidates[0].bonds[0].exchange", "'K'", [(BOND, 'exchange = "K"\nshell = 1')]),
    ("candidates[0].bonds[0].exchange", "linear", [(BOND, 'exchange = "J*D"\nshell = 1')]),
    ("candidates[0].bonds[0].exchange", "linear", [(BOND, 'exchange = "__import__(\'os\')"\nshell = 1')]),
    ("candidates[0].bonds[0].exchange", "3x3", [(BOND, 'exchange = [["J", 0], [0, "J"]]\nshell = 1')]),
    ("candidates[0].bonds[0].exchange", "none of them", [(BOND, "shell = 1")]),
    ("candidates[0].bonds[0].dm", "list of 3", [(BOND, 'dm = "D"\nshell = 1')]),
    ("candidates[0].bonds[0].shell", "at least 1", [(BOND, 'exchange = "J"\nshell = 0')]),
    ("candidates[0].bonds[0].shell", "100", [(BOND, 'exchange = "J"\nshell = 101')]),
    ("candidates[0].bonds[0].shell", "one of shell, distance, pairs", [(BOND, 'exchange = "J"')]),
    ("candidates[0].bonds[0].tolerance", "beside distance", [(BOND, BOND + "\ntolerance = 0.1")]),
    ("candidates[0].bonds[0]", "none of 2 bonds (shell 1", [(BOND, BOND + '\nspins = "parallel"')]),
    ("candidates[0].bonds[0]", "none of 0 bonds", [(BOND, 'exchange = "J"\ndistance = 2.0')]),
    ("candidates[0].bonds[0].spins", "'parallel'", [(BOND, BOND + '\nspins = "up"')]),
    ("candidates[0].bonds[0].between", "labels of sites (up, down)", [(BOND, BOND + '\nbetween = ["up", "Mn*"]')]),
    ("candidates[0].bonds[0].displacement", "three entries", [(BOND, BOND + "\ndisplacement = [1, 0]")]),
    ("candidates[0].bonds[0].between", "not symmetric", [(BOND, BOND + '\ndm = [0, 0, "D"]')]),
    ("candidates[0].bonds[1]", "each bond once", [(BOND, BOND + "\n[[candidates.bonds]]\n" + BOND)]),
    ("candidates[1].bonds[1]", "each bond once", [("[[1, 0, 1, 0, 0]]", "[[1, 0, 0, 0, 0]]")]),
    ("candidates[1].bonds[0].pairs[0]", "0 to 1", [("[[0, 1, 0, 0, 0]]", "[[0, 2, 0, 0, 0]]")]),
    ("candidates[1].bonds[0].pairs[0]", "itself", [("[[0, 1, 0, 0, 0]]", "[[0, 0, 0, 0, 0]]")]),
    ("candidates[1].bonds[0].pairs[0]", "five whole numbers", [("[[0, 1, 0, 0, 0]]", "[[0, 1]]")]),
    ("candidates[1].bonds[0].spins", "beside pairs", [("pairs = [[0, 1,", 'spins = "parallel"\npairs = [[0, 1,')]),
    ("candidates[0].anisotropy[0].sites", "label", [('value = "D"', 'value = "D"\nsites = "Mn"')]),
    ("candidates[0].anisotropy[0].value", "no such key", [('value = "D"\n', "")]),
    ("candidates[0].anisotropy[0].matrix", "symmetric",
     [('axis = "c"\nvalue = "D"', 'matrix = [[0, "D", 0], [0, 0, 0], [0, 0, 0]]')]),
]


@pytest.mark.parametrize(("key", "word", "changes"), MISTAKES, ids=[f"{m[0]}: {m[1]}" for m in MISTAKES])
def test_mistake(study_from, tmp_path, key, word, changes):
    with pytest.raises(StudyError) as caught:
        study_from(*changes)
    error, message = caught.value, str(caught.value)
    assert error.key == key
    assert error.path == tmp_path / "chain.toml"
    assert word in message
    assert "\n" not in message
    assert message == f"{error.path}: {key}: expected {error.expected}, found {error.found}"


def test_of_two_mistakes_the_first_in_fixed_order_is_reported(study_from):
    """The order is that of the sections, not of the file."""
    with pytest.raises(StudyError) as caught:
        study_from(("a = 3.0", "a = -3.0"), ("images = 40", "images = 0"), ("grid = [2, 2]", "grid = [1, 1]"))
    assert caught.value.key == "lattice.a"


def test_what_is_no_text_file(tmp_path: Path):
    with pytest.raises(StudyError, match="no such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(StudyError, match="directory"):
        load(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"name = '\xff'")
    with pytest.raises(StudyError, match="UTF-8"):
        load(binary)
    empty = tmp_path / "empty.toml"
    empty.write_text("")
    with pytest.raises(StudyError, match="name: expected"):
        load(empty)


def test_bundled_names(study_from):
    with pytest.raises(StudyError, match="manganite, square_antiferromagnet"):
        bundled("mangnite")
