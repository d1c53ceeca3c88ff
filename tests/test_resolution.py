"""Direct-geometry widths against PyChop's numbers and the measured resolution tables' covariances."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from insml import GeometryError
from insml.crystal import Lattice
from insml.instruments import MAPS
from insml.instruments.fermi import METRES_PER_SECOND, wavevector
from insml.mosaic import SliceSpec
from insml.resolution import FWHM_PER_SIGMA, DirectGeometry
from insml.study import bundled


def test_chop_formula_against_pychop(shared_data: Path) -> None:
    """Present MAPS geometry with PyChop's own moderator and detector widths: all packages and frequencies."""
    maps = replace(MAPS[1], moderator_to_chopper=10.143, aperture_to_chopper=8.27, chopper_to_sample=1.899,
                   aperture_width=0.094)
    elastic = (maps.chopper_to_sample + maps.sample_to_detector) / maps.moderator_to_chopper
    compared = blocked = 0
    for row in json.loads((shared_data / "resolution" / "pychop_table.json").read_text()):
        if row["inst"] != "MAPS":
            continue
        ei, expected = row["Ei"], np.array(row["fwhm_meV"], float)
        if not np.isfinite(expected).all():
            with pytest.raises(GeometryError, match="transmits"):
                maps.chopper_sigma(ei, row["pkg"], row["freq"])
            blocked += 1
            continue
        widths = row["widths_us"]
        fwhm = maps.energy_fwhm(
            np.array(row["frac"]) * ei, ei, row["pkg"], row["freq"], sample_width=0.048,
            moderator_fwhm=widths["moderator"] * 1e-6 / elastic,
            detector_sigma=widths["detector"] * 1e-6 * METRES_PER_SECOND * np.sqrt(ei) / FWHM_PER_SIGMA)
        np.testing.assert_allclose(fwhm, expected, rtol=2e-3)
        compared += 1
    assert compared > 50
    assert blocked == 5


@pytest.mark.parametrize(("ei", "frequency"), [(25, 300), (35, 200), (50, 200), (70, 250), (100, 250), (140, 400)])
def test_maps_version_1_against_resolution_tables(shared_data: Path, ei: int, frequency: int) -> None:
    """Energy widths within 6 %; what the formula leaves out makes it narrower, never wider. (Ei = 100: made at 250 Hz.)"""
    table = np.loadtxt(shared_data / "pcsmo" / f"PCSMO_ei{ei}_resolution.txt")
    centre = table[(np.abs(table[:, 0]) < 0.01) & (np.abs(table[:, 1]) < 0.01) & (table[:, 2] > 0)]
    ratio = MAPS[1].energy_fwhm(centre[:, 2], ei, "S", frequency, sample_width=0.01) / (
        FWHM_PER_SIGMA * np.sqrt(centre[:, 11]))
    assert ratio.min() > 0.94
    assert ratio.max() < 1.0


def test_momentum_width_is_the_divergence() -> None:
    """Elastic, without a sample size: aperture and detector boxes in quadrature."""
    maps = MAPS[1]
    expected = wavevector(50.0) / np.sqrt(12) * np.hypot(0.07013 / 10.01, 0.025 / 6.0)
    assert float(maps.q_sigma(0.0, 50.0, sample_width=0.0)) == pytest.approx(float(expected), rel=1e-12)


def test_widths_follow_the_formula_in_every_slice() -> None:
    study = bundled("manganite")
    broadening = study.broadening
    assert isinstance(broadening, DirectGeometry)
    for spec, width in zip(study.layout.slices, broadening.widths(study.lattice, study.layout), strict=True):
        assert spec.ei is not None
        energies = np.linspace(*spec.energy, 5)
        exact = broadening.machine.energy_fwhm(energies, spec.ei, "S", broadening.frequency[spec.ei], sample_width=0.01)
        np.testing.assert_allclose(FWHM_PER_SIGMA * width.energy_sigma(energies), exact, rtol=1e-4)


def test_what_cannot_be_is_named() -> None:
    for keywords, word in (({"instrument": "mars"}, "mars"), ({"version": 7}, "version"), ({"package": "Z"}, "package"),
                           ({"frequency": {25.0: 900.0}}, "transmits")):
        good = {"instrument": "maps", "version": 1, "package": "S", "frequency": {25.0: 300.0}}
        with pytest.raises(GeometryError, match=word):
            DirectGeometry(**(good | keywords))  # type: ignore[arg-type]
    study = bundled("manganite")
    odd = replace(study.layout, slices=(SliceSpec((1.0, 2.0), 9.0),), grid=(1, 1))
    with pytest.raises(GeometryError, match="frequency"):
        study.broadening.widths(Lattice(5, 5, 19), odd)
