"""Ellipses at half maximum."""

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insml import GeometryError
from insml.resolution.ellipse import HALF_MAXIMUM, draw_ellipses, ellipse_points, half_widths, plane_covariance

mpl.use("Agg")


def random_covariance(seed, m=4):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(m, m))
    scale = np.array([1e-2, 3e-2, 1e-1, 2.0])[:m]
    return (a @ a.T + 0.1 * np.eye(m)) * np.outer(scale, scale)


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_the_gaussian_is_half_on_the_section(seed):
    c = random_covariance(seed)
    x = np.zeros((97, 4))
    x[:, [0, 3]] = ellipse_points(c, (0, 3))
    np.testing.assert_allclose(np.exp(-0.5 * np.einsum("ni,ij,nj->n", x, np.linalg.inv(c), x)), 0.5, rtol=1e-9)


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_projection_is_the_shadow_and_holds_the_section(seed):
    """The largest x of all points with x^T C^-1 x = 2 ln 2 is the extreme of the projected curve."""
    c = random_covariance(seed)
    np.testing.assert_allclose(half_widths(c, (1, 2), "projection") ** 2, HALF_MAXIMUM * np.diag(c)[[1, 2]], rtol=1e-12)
    curve = ellipse_points(c, (1, 2), kind="projection", points=2001)
    np.testing.assert_allclose(curve.max(axis=0), half_widths(c, (1, 2), "projection"), rtol=1e-4)
    difference = plane_covariance(c, (1, 2), "projection") - plane_covariance(c, (1, 2))
    assert np.linalg.eigvalsh(difference)[0] > -1e-12 * np.trace(difference)


def test_circle_and_fwhm():
    sigma = 0.3
    curve = ellipse_points(sigma**2 * np.eye(4), (0, 1), centre=(1, -2))
    np.testing.assert_allclose(np.hypot(*(curve - [1, -2]).T), sigma * np.sqrt(2 * np.log(2)))
    np.testing.assert_allclose(curve[0], curve[-1])


def test_stacks():
    c = np.stack([random_covariance(s) for s in range(3)])
    centre = np.arange(6.0).reshape(3, 2)
    curves = ellipse_points(c, (0, 1), centre=centre, points=11)
    assert curves.shape == (3, 11, 2)
    np.testing.assert_allclose(curves[2], ellipse_points(c[2], (0, 1), centre=(4, 5), points=11))


def test_drawing():
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    c = np.stack([random_covariance(s) for s in range(2)])
    draw_ellipses(ax, c, (0, 3), centre=[(0, 1), (2, 3)], colour="red")
    assert [line.get_linestyle() for line in ax.lines] == ["--", "--", "-", "-"]
    np.testing.assert_allclose(ax.lines[3].get_xydata(), ellipse_points(c[1], (0, 3), centre=(2, 3)))
    assert ax.get_legend_handles_labels()[1] == ["projection", "section"]


@pytest.mark.parametrize(("c", "axes", "kind"), [
    (np.eye(3)[:2], (0, 1), "section"), (np.eye(3), (0, 3), "section"), (np.eye(3), (1, 1), "section"),
    (np.eye(3), (0, 1), "shadow"), (np.diag([1.0, 1, 0]), (0, 1), "section"), (np.ones((2, 2)), (0, 1), "projection")])
def test_mistakes(c, axes, kind):
    with pytest.raises(GeometryError):
        plane_covariance(c, axes, kind)
