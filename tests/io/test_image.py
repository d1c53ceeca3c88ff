from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from insml.errors import FormatError
from insml.io import Image, open_any
from insml.mosaic import Axis, MosaicLayout, SliceSpec


def a_layout(orientation: tuple[str, str] = ("-h", "+k")) -> MosaicLayout:
    axes = (Axis("h", (1, 0, 0), np.linspace(-1, 1, 11)), Axis("k", (0, 1, 0), np.linspace(-1, 1, 9)))
    return MosaicLayout(axes, (0, 0, 1), (SliceSpec((1, 2)), SliceSpec((2, 3))), (1, 2), orientation)


def save(path: Path, values: np.ndarray) -> Image:
    np.save(path, values)
    image = open_any(path)
    assert isinstance(image, Image)
    return image


def test_a_layout_gives_the_pixels_their_meaning(tmp_path: Path) -> None:
    values = np.arange(160.0).reshape(10, 16)
    values[0, 3] = np.nan
    mosaic = save(tmp_path / "m.npy", values).mosaic(a_layout())
    assert np.argwhere(mosaic.mask).tolist() == [[0, 3]]
    # h falls down the image: the first row is the highest h of the first slice
    assert mosaic.stack[0, 9, 0] == 0.0
    assert mosaic.stack[1, 9, 0] == 8.0
    assert mosaic.stack[0, 0, 0] == values[9, 0]


def test_whole_numbers_are_intensities_too(tmp_path: Path) -> None:
    assert save(tmp_path / "m.npy", np.arange(160, dtype=np.int16).reshape(10, 16)).values.dtype == np.float64


def test_zeros_are_data_unless_said(tmp_path: Path) -> None:
    values = np.ones((10, 16))
    values[2:6, 5:8] = 0  # 12 pixels in the first tile
    values[0, 0] = 0  # a single clipped pixel
    values[3:6, 8:11] = 0  # 9 pixels of the next tile, touching the first gap
    image = save(tmp_path / "m.npy", values)
    assert not image.mosaic(a_layout()).mask.any()
    masked = image.mosaic(a_layout(), zeros_are_masked=True).mask
    expected = np.zeros((10, 16), bool)
    expected[2:6, 5:8] = True
    assert np.array_equal(masked, expected)


def test_a_mask_is_added(tmp_path: Path) -> None:
    image, mask = save(tmp_path / "m.npy", np.ones((10, 16))), np.zeros((10, 16), bool)
    mask[4, 4] = True
    assert np.array_equal(image.mosaic(a_layout(), mask=mask).mask, mask)
    with pytest.raises(FormatError, match="expected a mask of shape"):
        image.mosaic(a_layout(), mask=mask[1:])


def test_another_shape_is_refused(tmp_path: Path) -> None:
    image = save(tmp_path / "m.npy", np.ones((16, 10)))
    with pytest.raises(FormatError, match=r"m\.npy: expected shape \(10, 16\) of the mosaic layout, .*\(16, 10\)"):
        image.mosaic(a_layout())
    # the transposed picture is another orientation, and a layout that says so takes it
    assert image.mosaic(replace(a_layout(("+k", "-h")), grid=(2, 1))).mask.sum() == 0


@pytest.mark.parametrize(("values", "found"), [
    (np.ones(5), r"shape \(5,\) of type float64"),
    (np.ones((2, 2, 2)), r"shape \(2, 2, 2\)"),
    (np.ones((2, 2), complex), "type complex128"),
    (np.ones((2, 2), bool), "type bool"),
    (np.array([["a", "b"]]), "type <U1"),
    (np.array([[{}, None]], object), "pickled Python objects, which are not loaded"),
])
def test_other_arrays_are_refused(tmp_path: Path, values: np.ndarray, found: str) -> None:
    np.save(tmp_path / "bad", values, allow_pickle=True)
    with pytest.raises(FormatError, match=f"expected a .npy file with a two-dimensional array .*{found}"):
        open_any(tmp_path / "bad.npy")


def test_a_truncated_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.npy"
    np.save(path, np.ones((10, 16)))
    for length in (8, 60, 700):
        (tmp_path / "cut.npy").write_bytes(path.read_bytes()[:length])
        with pytest.raises(FormatError, match="damaged or truncated"):
            open_any(tmp_path / "cut.npy")
