from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ForwardImage", "Generator", "ModeTable", "Model", "RunGeometry", "Target", "__version__", "accumulate",
    "add_structure", "arrange", "broadened", "candidates", "convolve_mosaic", "counting_noise", "displaced", "draws",
    "flights", "fold", "gradient", "instrument_image", "kinematic_third", "linear_map", "met", "paths",
    "pixel_limits", "probabilities", "standardise",
]

__version__: str

_Slice = tuple[
    tuple[float, float], float, NDArray[np.float64], NDArray[np.float64], Sequence[float],
    tuple[tuple[float, float], tuple[float, float], NDArray[np.float32], Sequence[float]],
]
_Domains = Sequence[tuple[Model, NDArray[np.float64], float]]

@final
class ModeTable:
    @staticmethod
    def build(model: Model, *, step: float, limit: int, form_factor: bool, threads: int) -> ModeTable | None: ...
    @property
    def nodes(self) -> tuple[list[int], list[float]]: ...
    @property
    def nbytes(self) -> int: ...
    def spectrum(self, q: NDArray[np.float64], *, threads: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...

@final
class ForwardImage:
    def __new__(
        cls,
        *,
        bins: Sequence[int],
        margin: Sequence[int],
        first: Sequence[float],
        widths: Sequence[float],
        cells: int,
        vectors: Sequence[Sequence[float]],
        slices: Sequence[tuple[_Slice, NDArray[np.float64]]],
        points: NDArray[np.float64],
    ) -> ForwardImage: ...
    def intensities(self, domains: _Domains, *, form_factor: bool, threads: int) -> NDArray[np.float64] | None: ...

@final
class Model:
    def __new__(
        cls,
        *,
        lattice: NDArray[np.float64],
        supercell: Sequence[int],
        positions: NDArray[np.float64],
        spins: NDArray[np.float64],
        anisotropy: NDArray[np.float64],
        g: NDArray[np.float64],
        form_factors: Sequence[Sequence[float]],
        bond_sites: NDArray[np.int64],
        bond_cells: NDArray[np.int64],
        exchange: NDArray[np.float64],
        biquadratic_sites: NDArray[np.int64],
        biquadratic_cells: NDArray[np.int64],
        biquadratic: NDArray[np.float64],
        field: NDArray[np.float64],
        like: Model | None,
        rotating: tuple[Sequence[float], Sequence[float]] | None,
    ) -> Model: ...
    def blocks(self) -> list[tuple[int, int, str, bool]] | None: ...
    @property
    def modes(self) -> int: ...
    def hamiltonian(self, q: NDArray[np.float64]) -> NDArray[np.complex128]: ...
    def bogoliubov(self, q: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.complex128]]: ...
    def spectrum(
        self, q: NDArray[np.float64], *, form_factor: bool, g_tensor: bool, tensor: bool, general: bool, blocks: bool,
        threads: int,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.complex128]]: ...

def convolve_mosaic(
    *,
    domains: Sequence[tuple[Model, NDArray[np.float64], float]],
    axes: Sequence[tuple[Sequence[float], Sequence[float]]],
    third_vector: Sequence[float],
    integrated: tuple[Sequence[float], Sequence[float], tuple[float, float, float] | None] | None,
    beam: Sequence[float] | None,
    slices: Sequence[tuple[tuple[float, float], float | None, Sequence[float], Sequence[float], Sequence[float]]],
    form_factor: bool,
    slopes: Sequence[float] | None,
    step: float,
    threads: int,
) -> tuple[NDArray[np.float64], list[float]]: ...

def gradient(
    model: Model, directions: Sequence[Model], q: NDArray[np.float64], *, form_factor: bool, g_tensor: bool, blocks: bool,
    threads: int,
) -> NDArray[np.float64]: ...
def broadened(
    model: Model, directions: Sequence[Model], q: NDArray[np.float64], *, energy: NDArray[np.float64],
    sigma: NDArray[np.float64], lowest: float, form_factor: bool, g_tensor: bool, blocks: bool, threads: int,
) -> NDArray[np.float64]: ...
def linear_map(
    *, beam: Sequence[float], ki: float, kf: NDArray[np.float64], distance: NDArray[np.float64],
    two_theta: NDArray[np.float64], azimuth: NDArray[np.float64], sample: NDArray[np.float64],
    detector: NDArray[np.float64], to: str, spec_to_rlu: NDArray[np.float64] | None,
) -> NDArray[np.float64]: ...
def counting_noise(
    signal: NDArray[np.float32], subtracted: NDArray[np.float32], unit: NDArray[np.float32], *, whole: bool, seed: int,
) -> None: ...
def displaced(
    clean: NDArray[np.float16] | NDArray[np.float32], *, mirrored: tuple[bool, bool], swapped: bool,
    shift: tuple[float, float], other: NDArray[np.int64], share: NDArray[np.float32], scale: NDArray[np.float32],
) -> NDArray[np.float32]: ...
_OfRuns = tuple[NDArray[np.float32], NDArray[np.float32]]

def add_structure(
    signal: NDArray[np.float32], *, q: NDArray[np.float32], run: NDArray[np.int64], share: NDArray[np.float32],
    arcs: _OfRuns, cones: _OfRuns, spots: _OfRuns,
) -> None: ...
def fold(
    signal: NDArray[Any], mask: NDArray[np.bool_], *, mirrors: tuple[bool, bool],
) -> tuple[NDArray[Any], NDArray[np.bool_]]: ...
def standardise(signal: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.float32]: ...
def draws(
    *, seed: int, pixels: NDArray[np.uint64], samples: int, dimensions: int, sobol: bool, threads: int,
) -> NDArray[np.float64]: ...
_Joint = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]

def probabilities() -> NDArray[np.float64]: ...
def paths(
    *, densities: Sequence[tuple[NDArray[np.float64], float, float, tuple[float, float], float]], at: NDArray[np.float64],
    towards: NDArray[np.float64], ends: NDArray[np.float64], threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
def met(
    *, line: str, fwhm: float, ends: NDArray[np.float64], solved: NDArray[np.float64], share: NDArray[np.float64],
    energy: NDArray[np.float64], mode: NDArray[np.float64], strength: NDArray[np.float64], threads: int,
) -> NDArray[np.float64]: ...
def flights(
    *, seed: int, pixels: NDArray[np.uint64], samples: int, sobol: bool, dimensions: Sequence[int],
    centre: NDArray[np.float64], rows: NDArray[np.float64], full: NDArray[np.float64],
    quantiles: Sequence[tuple[int, NDArray[np.float64]]], times: _Joint | None,
    tube: tuple[_Joint, NDArray[np.float64], NDArray[np.float64]] | None,
    mosaic: tuple[Sequence[float], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None,
    threads: int,
) -> NDArray[np.float64]: ...
def instrument_image(
    *,
    domains: _Domains,
    centres: Sequence[NDArray[np.float64]],
    widths: Sequence[NDArray[np.float64]],
    vectors: Sequence[Sequence[float]],
    slices: Sequence[tuple[_Slice, NDArray[np.float64]]],
    points: NDArray[np.uint32],
    gaussians: int,
    smooth: float,
    cells: int,
    seed: int,
    grid_step: float | None,
    form_factor: bool,
    threads: int,
) -> NDArray[np.float64] | None: ...
def kinematic_third(
    *, lattice: NDArray[np.float64], beam: Sequence[float], third: Sequence[float], hkl: NDArray[np.float64], ei: float,
    energy: Sequence[float],
) -> NDArray[np.float64]: ...

_Pixels = NDArray[np.float32] | tuple[Path, int, int]
_Floats = NDArray[np.float64]
_Sums = tuple[_Floats, _Floats, NDArray[np.uint64]]
_Arranged = tuple[_Floats, _Floats, NDArray[np.uint64], NDArray[np.float32] | None]
_Rows = Sequence[Sequence[float]]

@final
class Target:
    def __new__(
        cls, *, shape: str, frame: _Rows, offset: Sequence[float], scale: Sequence[float], first_turn: float,
        axes: Sequence[tuple[float, float, int]], operations: Sequence[tuple[_Rows, Sequence[float]]],
    ) -> Target: ...
    def locate(self, pixels: NDArray[np.float32]) -> NDArray[np.int64]: ...

@final
class RunGeometry:
    def __new__(
        cls, *, turn: _Rows, mode: int, fixed: Sequence[float], energies: _Floats, directions: _Floats, numbers: _Floats,
        used: NDArray[np.bool_], energy_of_k2: float, id: float,
    ) -> RunGeometry: ...
    def limits(self) -> list[list[float]]: ...

@final
class Generator:
    def __new__(cls, target: Target, threads: int) -> Generator: ...
    def count(self, run: RunGeometry) -> None: ...
    def count_pixels(self, source: _Pixels, blocks: int) -> None: ...
    def gather_pixels(self, n: int, source: _Pixels, blocks: int) -> None: ...
    @property
    def pixels(self) -> int: ...
    def start(self, gathered: tuple[Path, int] | None) -> None: ...
    def gather(self, n: int, run: RunGeometry, signal: _Floats, error: _Floats) -> None: ...
    def finish(self, out: tuple[Path, int] | None) -> _Arranged: ...

def accumulate(
    source: _Pixels, target: Target, *, ranges: NDArray[np.int64] | None, parts: int, first: int, last: int, threads: int,
    progress: Callable[[int], Any] | None = None,
) -> _Sums: ...
def arrange(
    source: _Pixels, target: Target, *, ranges: NDArray[np.int64] | None, blocks: int, out: tuple[Path, int] | None,
    memory: int, threads: int, progress: Callable[[int], Any] | None = None,
) -> _Arranged: ...
def candidates(
    target: Target, *, turn: _Rows, shift: Sequence[float], energy: float, edges: Sequence[_Floats],
    npix: NDArray[np.uint64],
) -> NDArray[np.int64]: ...
def pixel_limits(source: _Pixels, *, threads: int) -> list[list[float]]: ...
