from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from made_answers import TRUE, Made, make_answer, small_layout
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from insml.answer import Answer
from insml.mosaic import Axis, Mosaic, MosaicLayout, SliceSpec
from insml.report.figures import CANDIDATE_COLOURS, difference_figure, figures, mosaic_figure, slices_figure
from insml.report.tiles import MASKED

Make = Callable[[Made], Answer]


def pixels(figure: Figure) -> NDArray[np.float64]:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba(), float)[..., :3] / 255


def near(image: NDArray[np.float64], colour: str | tuple[float, float, float]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(image - np.array(to_rgb(colour))).max(axis=-1) < 0.02)


def one_spot(orientation: tuple[str, str], mask: bool = False) -> Answer:
    """Intensity (or no detector) at h = 0.5, k = 1 alone, in one tile with unequal axes."""
    axes = Axis("h", (1, 0, 0), np.linspace(0, 2, 21)), Axis("k", (0, 1, 0), np.linspace(0, 3, 31))
    layout = MosaicLayout(axes, (0, 0, 1), (SliceSpec((1, 2), 10.0),), (1, 1), orientation)
    spot = np.zeros(layout.stack_shape)
    spot[0, 3:7, 8:12] = 1.0
    values = np.zeros_like(spot) if mask else spot
    mosaic = Mosaic.from_stack(values, mask & (spot > 0), layout, variance=np.ones_like(spot))
    return replace(make_answer(Made(network=False)), mosaic=mosaic, fits={}, fit_probabilities={})


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("orientation", [
    (s0 + a, s1 + b) for s0, s1 in product("+-", repeat=2) for a, b in (("h", "k"), ("k", "h"))])
def test_a_spot_stands_at_its_tick_labels(orientation: tuple[str, str], mask: bool) -> None:
    figure = mosaic_figure(one_spot(orientation, mask))
    image = pixels(figure)
    axes = figure.axes[0]
    # yellow end of viridis, or grey
    where = near(image, MASKED if mask else (0.993248, 0.906157, 0.143936))
    # smooth edges of letters hold all greys: look inside the tile alone
    inside, tile = np.zeros_like(where), axes.get_window_extent()
    top, bottom = int(image.shape[0] - tile.y1), int(image.shape[0] - tile.y0)
    inside[top + 3 : bottom - 3, int(tile.x0) + 3 : int(tile.x1) - 3] = True
    where &= inside
    rows, columns = np.nonzero(where)
    assert rows.size > 100
    centre = (columns.mean() + 0.5, image.shape[0] - rows.mean() - 0.5)
    x, y = axes.transData.inverted().transform(centre)

    down, across = orientation[0][1:], orientation[1][1:]
    value = {"h": "0.5", "k": "1"}
    # the ticks at these values: one below the tile, one left of it
    below = [t.xy[0] for t in axes.texts if t.get_text() == value[across] and getattr(t, "xy", (0, 0))[0] > 0]
    left = [t.xy[1] for t in axes.texts if t.get_text() == value[down] and getattr(t, "xy", (1, 0))[0] == 0]
    height = axes.get_ylim()[0]
    assert any(abs(x - b) < 0.02 for b in below)
    assert any(abs(y - t) < 0.02 * height for t in left)


@pytest.mark.parametrize(("orientation", "across", "down"), [(("-k", "+h"), "h along [1, 0, 0]  (r.l.u.)  →",
                                                               "k along [0, 1, 0]  (r.l.u.)  →"),
                                                              (("+h", "-k"), "←  k along [0, 1, 0]  (r.l.u.)",
                                                               "←  h along [1, 0, 0]  (r.l.u.)")])
def test_arrows_point_to_rising_values(orientation: tuple[str, str], across: str, down: str) -> None:
    texts = {t.get_text(): t.get_rotation() for t in mosaic_figure(one_spot(orientation)).axes[0].texts}
    assert texts[across] == 0
    # turned by 90 degrees: the end of the text is up
    assert texts[down] == 90


def test_every_tile_is_labelled_and_rows_carry_their_ei() -> None:
    layout = small_layout()
    by_row = replace(layout, slices=tuple(SliceSpec(s.energy, (30.0, 60.0)[i // 3])
                                          for i, s in enumerate(layout.slices)))
    mixed = replace(layout, slices=tuple(SliceSpec(s.energy, 30.0 + i) for i, s in enumerate(layout.slices)))
    for case, expected in ((by_row, {"16 to 20 meV", "36 to 40 meV", "Ei 30 meV", "Ei 60 meV", "no data"}),
                           (mixed, {"Ei 30: 16 to 20 meV", "Ei 35: 36 to 40 meV"})):
        texts = {t.get_text() for t in mosaic_figure(make_answer(Made(layout=case))).axes[0].texts}
        assert expected <= texts


def test_difference_is_white_where_the_fit_is_right_and_blue_where_it_is_above(make: Make) -> None:
    answer = make(Made(noise=0.0))
    image = pixels(difference_figure(answer))
    # the two panels stand below each other, left of the colour bar
    strong_blue = ((image[..., 2] - image[..., 0]) > 0.3)[:, : int(0.85 * image.shape[1])]
    half = image.shape[0] // 2
    assert not strong_blue[:half].any()
    assert strong_blue[half:].sum() > 500


def test_bars_give_the_difference_of_chi2(make: Make) -> None:
    answer = make(Made())
    axes = slices_figure(answer).axes
    assert len(axes) == 3
    heights = [bar.get_height() for bar in axes[0].patches]
    other = next(name for name in answer.fits if name != TRUE)
    assert heights == pytest.approx(answer.fits[other].chi2_per_slice - answer.fits[TRUE].chi2_per_slice)
    # one slice speaks for the other candidate: its bar has that one's colour
    preference = np.array([9, 9, -5, 9, 9, 9])
    turned = replace(answer.fits[other], chi2_per_slice=answer.fits[TRUE].chi2_per_slice + preference)
    bars = slices_figure(replace(answer, fits={**answer.fits, other: turned})).axes[0].patches
    assert [bar.get_height() for bar in bars] == pytest.approx(preference)
    colours = [bar.get_facecolor()[:3] for bar in bars]
    assert colours[0] == to_rgb(CANDIDATE_COLOURS[0])
    assert colours[2] == to_rgb(CANDIDATE_COLOURS[1])
    assert answer.classification is not None
    assert [bar.get_height() for bar in axes[2].patches] == pytest.approx(answer.classification.slice_saliency)


def test_text_stays_apart_and_inside() -> None:
    """No two texts of a figure overlap, and none is cut off by its edge."""
    edges = np.linspace(-1.026, 1.026, 41)
    slices = tuple(SliceSpec((ei * (0.1 + 0.06 * i), ei * (0.16 + 0.06 * i)), ei)
                   for ei in (25.0, 35.0, 50.0, 70.0, 100.0, 140.0) for i in range(10))
    slices = tuple(SliceSpec((round(s.energy[0], 6), round(s.energy[1], 6)), s.ei) for s in slices)
    layout = MosaicLayout((Axis("h", (1, 0, 0), edges), Axis("k", (0, 1, 0), edges)), (0, 0, 1), slices, (6, 10))
    answers = [make_answer(Made(layout=layout)), make_answer(Made()), one_spot(("-k", "+h"))]
    for name, _, figure in (found for answer in answers for found in figures(answer)):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        texts = [t for a in figure.axes for t in a.texts] + list(figure.texts)
        boxes = [t.get_window_extent() for t in texts if t.get_text()]
        width, height = canvas.get_width_height()
        for i, a in enumerate(boxes):
            assert min(a.x0, a.y0, width - a.x1, height - a.y1) >= 0, (name, texts[i])
            for b in boxes[i + 1 :]:
                assert not (a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1), (name, texts[i])


def test_figures_leave_no_global_state(make: Make) -> None:
    import sys

    before = "matplotlib.pyplot" in sys.modules
    list(figures(make(Made())))
    assert ("matplotlib.pyplot" in sys.modules) == before
