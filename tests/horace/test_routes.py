"""Modes and data along lines, and ellipses on cuts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from crystal_runs import ANGLES, LATTICE, STANDS, write_run

from insml import GeometryError, ModelError, SpinModel, instruments, resolution_covariance
from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.horace import (
    cut,
    disp2sqw_plot,
    dispersion,
    dispersion_plot,
    line_proj,
    permute,
    ploc,
    plot,
    resolution_plot,
    set_instrument,
    set_sample,
    spaghetti_plot,
    sqw_eval,
)
from insml.instruments import Sample
from insml.resolution.element import DetectorElement
from insml.resolution.ellipse import plane_covariance
from insml.sqw import Sqw
from insml.sqw.generate import generate

RLP = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]]


@pytest.fixture(autouse=True)
def figures() -> Iterator[None]:
    import matplotlib.pyplot as plt

    mpl.use("agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Sqw:
    folder = tmp_path_factory.mktemp("runs")
    runs = [write_run(folder / f"run{n}.nxspe", n, 40.0 + n, detectors=400) for n in range(3)]
    return generate(runs, None, lattice=LATTICE, **STANDS, **ANGLES, grid=[6, 6, 6, 6])


def chain(h, k, l, p):  # noqa: E741
    return p[0] * (1 - np.cos(2 * np.pi * h)), 1 + np.cos(2 * np.pi * k) ** 2


def test_routes_are_as_long_as_they_are() -> None:
    """Distances in 1/Angstrom; every given point among those between."""
    found = dispersion_plot([4, 4, 4, 90, 90, 90], RLP, chain, [5.0], ndiv=10, noplot=True)
    star = np.pi / 2
    np.testing.assert_allclose(found.route.nodes, star * np.array([0, 1, 2, 2 + np.sqrt(2)]))
    assert found.route.hkl.shape == (31, 3)
    np.testing.assert_allclose(found.route.hkl[::10], RLP)
    np.testing.assert_allclose(found.route.distance[[5, 25]], star * np.array([0.5, 2 + np.sqrt(0.5)]))
    np.testing.assert_allclose(found.energies[:, 0], 5 * (1 - np.cos(2 * np.pi * found.route.hkl[:, 0])), atol=1e-12)
    np.testing.assert_allclose(found.weights[:, 0], chain(*found.route.hkl.T, [5.0])[1])
    plain = dispersion_plot(RLP, lambda h, k, z, p: [h, 2 * h], [], noplot=True)
    assert plain.route.nodes[1] == pytest.approx(1.0)
    assert plain.energies.shape == (301, 2)
    assert (plain.weights == 1).all()


def test_a_route_of_a_spin_model() -> None:
    """A ferromagnetic chain, in its own lattice and in another."""
    model = SpinModel(lattice_vectors=np.diag([3.0, 8.0, 8.0]), positions=[[0, 0, 0]], spins=[[0, 0, 1.0]],
                      bonds=[(0, 0, (1, 0, 0), -2.5 * np.eye(3))])
    for lattice in ((), (Lattice(6.0, 8.0, 8.0),)):
        found = dispersion_plot(*lattice, [[0, 0, 0], [1, 0, 0]], model, None, noplot=True)
        assert found.route.nodes[1] == pytest.approx(2 * np.pi / (6 if lattice else 3))
        np.testing.assert_allclose(found.energies[1:-1, 0], 5 * (1 - np.cos(2 * np.pi * found.route.hkl[1:-1, 0])))


def test_plots_of_routes() -> None:
    import matplotlib.pyplot as plt

    dispersion_plot(RLP, chain, [5.0], labels=["G", "X", "M", "G"])
    assert {plt.figure(n).get_label() for n in plt.get_fignums()} == {"Horace dispersion plot", "Horace weight plot"}
    plt.close("all")
    dispersion_plot(RLP, chain, [5.0], dispersion=True)
    (ax,) = plt.gcf().axes
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0, 0, 0", "1, 0, 0", "1, 1, 0", "0, 0, 0"]
    plt.close("all")
    distance, energies, image = disp2sqw_plot(RLP, chain, [5.0], [0, 0.5, 12], 1.0)
    assert image.shape == (distance.size, energies.size)
    assert (energies[0], energies[-1]) == (0.0, 12.0)
    # a Gaussian of area 1, where the mode is well within the energies
    at = np.argmin(np.abs(distance - 0.25))
    np.testing.assert_allclose(image[at].sum() * 0.5, chain(0.25, 0.0, 0.0, [5.0])[1], rtol=1e-3)
    assert plt.gcf().axes[0].get_xticks().tolist() == pytest.approx([0, 1, 2, 2 + np.sqrt(2)])


@pytest.mark.parametrize(("call", "words"), [
    (lambda: dispersion_plot([[0, 0, 0]], chain, [1.0]), "points: expected two or more"),
    (lambda: dispersion_plot([[0, 0, 0], [0, 0, 0]], chain, [1.0]), "found .0.0, 0.0, 0.0. twice"),
    (lambda: dispersion_plot(RLP, chain), "dispersion_plot: expected 3 arguments"),
    (lambda: dispersion_plot([1, 2], RLP, chain, [1.0]), "lattice: expected six numbers, found 2"),
    (lambda: dispersion_plot(RLP, chain, [1.0], ndiv=0), "divisions: expected at least one"),
    (lambda: dispersion_plot(RLP, chain, [1.0], labels=["a"]), "labels: expected one for each of 4"),
    (lambda: disp2sqw_plot(RLP, chain, [1.0], [0, 1], 1.0), "ebins: expected")])
def test_wrong_routes_are_named(call, words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        call()
    with pytest.raises(ModelError, match="expected arrays of"):
        dispersion_plot(RLP, lambda h, k, z, p: np.zeros(3), [1.0])


def test_the_dispersion_of_a_cut(data: Sqw) -> None:
    """On the axes of Q alone; drawn over the cut it was made for."""
    axes = line_proj([1, 0, 0], [0, 1, 0], [0, 0, 1], nonorthogonal=True, offset=[0, 0, 0.5, 0])
    w = cut(data, axes, [-1.5, 0.25, 1], [0.2, 0.6], [-1, 1], [0, 2, 30])
    energy, weight = dispersion(w, chain, [5.0])
    assert energy.axes.plotted == (0,)
    np.testing.assert_allclose(energy.signal, 5 * (1 - np.cos(2 * np.pi * energy.centres[0])), atol=1e-12)
    np.testing.assert_allclose(np.sqrt(energy.variance), 1 + np.cos(2 * np.pi * 0.4) ** 2)
    np.testing.assert_allclose(weight.signal, np.sqrt(energy.variance))
    with_weights, _ = dispersion(w, lambda h, k, z, p: (h, 2 * h), None)
    np.testing.assert_allclose(np.sqrt(with_weights.variance), np.abs(2 * energy.centres[0]))
    many, weights = dispersion(w, lambda h, k, z, p: [h, 2 * h, z], None)
    assert len(many) == len(weights) == 3
    np.testing.assert_allclose(many[2].signal, 0.5)
    plot(w)
    ploc(energy)
    with pytest.raises(GeometryError, match="at least one axis of Q"):
        dispersion(cut(w, [-2, 2], []), chain, [5.0])


def test_data_along_a_route_are_cuts(data: Sqw) -> None:
    """Each leg is the cut that a user would make; a model in place of the data lies where its dispersion says."""
    import matplotlib.pyplot as plt

    rlp = np.array([[0.2, -0.5, 0], [1, -0.5, 0], [1, -1.5, 0.2]])
    found = spaghetti_plot(rlp, data, qbin=0.2, qwidth=1.5, ebin=[0, 4, 20], labels=["A", "B", "C"])
    assert len(found) == 2
    b = Orientation(LATTICE, (1, 0, 0), (0, 1, 0)).b
    lengths = np.linalg.norm(np.diff(rlp, axis=0) @ b.T, axis=1)
    assert found[0].edges[0][0] == pytest.approx(0, abs=1e-9)
    for n, w in enumerate(found):
        assert w.edges[0][-1] == pytest.approx(lengths[: n + 1].sum())
        assert w.shape[0] == round(lengths[n] / 0.2)
    along = line_proj(rlp[1] - rlp[0], rlp[2] - rlp[1], type="aaa", offset=rlp[0])
    step = lengths[0] / found[0].shape[0]
    own = cut(data, along, [step / 2, step, lengths[0] - step / 2], [-0.75, 0.75], [-0.75, 0.75], [0, 4, 20], "-nopix")
    np.testing.assert_array_equal(found[0].npix, own.npix)
    assert found[0].npix.sum() > 50
    assert len(plt.gcf().axes[0].collections) == 2
    # coordinates count from the first point of all: h, k, l of bins are on the second leg
    simulated = sqw_eval(found[1], lambda h, k, z, e, p: k, None, everywhere=True)
    share = (simulated.centres[0] - lengths[0]) / lengths[1]
    np.testing.assert_allclose(simulated.signal[:, 0], -0.5 - share, atol=1e-9)
    again = spaghetti_plot(rlp, found, logscale=True, clim=(0.5, 2))
    assert again is found
    for more, words in (({"qbin": 0.0}, "step, width: expected positive"), ({"qwidth": [1, 2, 3]}, "step, width")):
        with pytest.raises(GeometryError, match=words):
            spaghetti_plot(rlp, data, **more)
    with pytest.raises(GeometryError, match="expected data with pixels, found Dnd"):
        spaghetti_plot(rlp, data.image)


def test_data_along_a_route_of_a_file(data: Sqw, tmp_path: Path) -> None:
    from insml.io import write_sqw

    write_sqw(tmp_path / "w.sqw", data, 4)
    rlp = [[0, -0.5, 0], [1, -0.5, 0]]
    there, here = (spaghetti_plot(rlp, x, qwidth=[1, 2], noplot=True) for x in (tmp_path / "w.sqw", data))
    np.testing.assert_array_equal(there[0].npix, here[0].npix)


def test_ellipses_on_a_cut(data: Sqw) -> None:
    """Those of the pixel nearest to the point, from its detector and energy."""
    import matplotlib.pyplot as plt

    spectrometer, sample = instruments.maps(41.0, 250), Sample((0.02, 0.02, 0.02))
    w = cut(data, line_proj([1, 1, 0], [-1, 1, 0], type="ppp"), [-2, 0.5, 2], [-2, 2], [-3, 3], [0, 4, 24])
    w = set_sample(set_instrument(w, spectrometer), sample)
    points = [[-1.0, 8.0], [99.0, 8.0]]
    found = resolution_plot(w, points)
    assert found.kept.tolist() == [True, False]
    (ax,) = [a for a in plt.gcf().axes if a.lines]
    assert len(ax.lines) == 2
    # the same pixel by hand
    pixels = w.pixels.read().astype(float)
    frame = w.projection.frame(LATTICE)
    x = (np.column_stack([pixels[:, :3] @ w.to_rlu.T, pixels[:, 3]]) - frame.offset) @ np.linalg.inv(frame.u_to_rlu).T
    near = (np.abs(x[:, 0] + 1.0) < 0.25) & (np.abs(x[:, 3] - 8.0) < 2)
    best = np.flatnonzero(near)[np.argmin((((x[near][:, [0, 3]] - points[0]) / [0.5, 4.0]) ** 2).sum(axis=1))]
    run = next(r for r in w.runs if r.id == pixels[best, 4])
    t, row = w.detectors, int(np.flatnonzero(w.detectors.number == pixels[best, 5])[0])
    element = DetectorElement(t.distance[row], t.two_theta[row], t.azimuth[row], t.width[row], t.height[row])
    low, high = run.energies[int(pixels[best, 6]) - 1 :][:2]
    expected = resolution_covariance(spectrometer, sample, element, energy_bin=(low, high), orientation=run.orientation,
                                     ei=run.efix)
    np.testing.assert_allclose(found.hkle[0], expected, rtol=1e-9)
    # [1, 1, 0] and its perpendiculars in 1/Angstrom and meV: lengths are kept
    b4 = np.eye(4)
    b4[:3, :3] = Orientation(LATTICE, (1, 0, 0), (0, 1, 0)).b
    assert np.linalg.det(found.spectrometer[0]) == pytest.approx(np.linalg.det(b4 @ expected @ b4.T))
    curve = ax.lines[0].get_xydata()
    np.testing.assert_allclose(curve[:-1].mean(axis=0), points[0], atol=0.05)
    half = np.sqrt(2 * np.log(2) * np.diag(plane_covariance(found.projection[0], (0, 3), "projection")))
    np.testing.assert_allclose(curve.max(axis=0) - points[0], half, rtol=1e-2)
    turned = resolution_plot(permute(w), [[8.0, -1.0]], current=True)
    np.testing.assert_allclose(turned.hkle, found.hkle)
    assert resolution_plot(w, [[99.0, 8.0]], noplot=True).hkle.shape == (0, 4, 4)
    with pytest.raises(GeometryError, match="found none of 1"):
        resolution_plot(w, [[99.0, 8.0]])
    with pytest.raises(GeometryError, match="on two straight axes, found Dnd"):
        resolution_plot(w.image)
    with pytest.raises(ModelError, match="instrument: expected one for each run"):
        resolution_plot(cut(data, line_proj([1, 1, 0], [-1, 1, 0]), [-2, 0.5, 2], [-2, 2], [-3, 3], [0, 4, 24]))
