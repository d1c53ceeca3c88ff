"""Scale and background, eliminated in closed form.

Data of slice s are modelled as a_g m + sum_t b_st B_t with one scale a_g >= 0 for each group g of slices and free
background amplitudes b_st. Given the simulated m, the least-squares a and b follow by projection: both data and m are
freed of the background terms slice by slice, then a_g is a ratio of two sums (variable projection, Golub and Pereyra,
SIAM J. Numer. Anal. 10, 413 (1973)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import eval_legendre

from insml.mosaic import Mosaic
from insml.study import Study

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Nuisance:
    """Best scale and background for one simulated stack.

    ``scale`` (n_slices,), ``background`` (n_slices, n_terms) and ``residual`` (n_pixels,) = (data - model) / sigma over
    the unmasked pixels in stack order.
    """

    scale: Array
    background: Array
    residual: Array


class LinearModel:
    """The linear part of a comparison between one mosaic and any number of simulations.

    ``mosaic`` must carry a positive variance on every unmasked pixel (:func:`insml.cleaning.clean`).
    """

    def __init__(self, study: Study, mosaic: Mosaic) -> None:
        variance = mosaic.stack_variance
        assert variance is not None, "clean() gives every mosaic a variance"
        values, mask = mosaic.stack, mosaic.stack_mask
        self.shape = values.shape
        self.used = ~mask
        self.terms = background_terms(study)
        self._shapes = self.terms.reshape(len(self.terms), self.used[0].size)  # there may be none
        self.slices: list[NDArray[np.intp]] = [np.flatnonzero(u) for u in self.used.reshape(len(mask), -1)]
        self.group = scale_groups(study)
        self._weight = [1 / np.sqrt(variance[s].ravel()[p]) for s, p in enumerate(self.slices)]
        self._data = [values[s].ravel()[p] * w for (s, p), w in zip(enumerate(self.slices), self._weight, strict=True)]
        # orthonormal basis of the weighted background terms of each slice
        self._basis = []
        for p, w in zip(self.slices, self._weight, strict=True):
            design = self._shapes[:, p].T * w[:, None]
            u, d, _ = np.linalg.svd(design, full_matrices=False) if p.size else (design, np.zeros(0), None)
            self._basis.append(u[:, d > 1e-10 * d.max(initial=0.0)])
        self._free = [self._off(s, y) for s, y in enumerate(self._data)]

    def _off(self, s: int, y: Array) -> Array:
        basis = self._basis[s]
        return np.asarray(y - basis @ (basis.T @ y))

    @property
    def n_pixels(self) -> int:
        return sum(len(p) for p in self.slices)

    @property
    def n_free(self) -> int:
        """Linear parameters: scales of groups with data and background amplitudes."""
        occupied = {int(self.group[s]) for s, p in enumerate(self.slices) if p.size}
        return len(occupied) + sum(int(b.shape[1]) for b in self._basis)

    def residual(self, stack: Array) -> Array:
        """(n_pixels,) residuals at the best scale and background."""
        return np.concatenate(self._solve(stack)[1])

    def _solve(self, stack: Array) -> tuple[Array, list[Array], list[Array]]:
        weighted = [stack[s].ravel()[p] * w for (s, p), w in zip(enumerate(self.slices), self._weight, strict=True)]
        free = [self._off(s, m) for s, m in enumerate(weighted)]
        top, bottom = np.zeros(self.group.max() + 1), np.zeros(self.group.max() + 1)
        for s, m in enumerate(free):
            top[self.group[s]] += m @ self._free[s]
            bottom[self.group[s]] += m @ m
        # a negative scale would let a model fit the background's holes
        scale = np.where(bottom > 0, np.maximum(top, 0) / np.where(bottom > 0, bottom, 1), 0)[self.group]
        residual = [self._free[s] - scale[s] * free[s] for s in range(len(free))]
        return scale, residual, weighted

    def solve(self, stack: Array) -> Nuisance:
        scale, residual, weighted = self._solve(stack)
        background = np.zeros((len(self.slices), len(self.terms)))
        for s, (p, w) in enumerate(zip(self.slices, self._weight, strict=True)):
            if p.size:
                design = self._shapes[:, p].T * w[:, None]
                background[s] = np.linalg.lstsq(design, self._data[s] - scale[s] * weighted[s], rcond=1e-10)[0]
        return Nuisance(scale, background, np.concatenate(residual))

    def chi2_per_slice(self, residual: Array) -> Array:
        ends = np.cumsum([p.size for p in self.slices])
        return np.array([float(part @ part) for part in np.split(residual, ends[:-1])])

    def correlated_pixels(self, residual: Array, reach: int = 3) -> float:
        """How many pixels carry the information of one, from the autocorrelation of the residuals up to ``reach`` pixels.

        1 for white noise. Mirror images within a tile (symmetrised data, square tiles) count as well.
        """
        rows_columns = (self.shape[1], self.shape[2])
        padded = (2 * self.shape[1], 2 * self.shape[2])
        total, products = 0.0, 0.0
        ends = np.cumsum([p.size for p in self.slices])
        for s, part in enumerate(np.split(residual, ends[:-1])):
            tile = np.zeros(rows_columns)
            tile.ravel()[self.slices[s]] = part
            total += float((tile**2).sum())
            spectrum = np.abs(np.fft.rfft2(tile, padded)) ** 2
            correlation = np.fft.irfft2(spectrum, padded)
            around = np.r_[0 : reach + 1, -reach:0]
            products += float(correlation[np.ix_(around, around)].sum())
            if tile.shape[0] == tile.shape[1]:
                products += max(float((tile * tile.T).sum() - (np.diag(tile) ** 2).sum()), 0.0)
        return max(products / total, 1.0) if total > 0 else 1.0

    def assemble(self, stack: Array, nuisance: Nuisance) -> Array:
        """(n_slices, n0, n1) scaled simulation plus background, on every pixel."""
        background = np.einsum("st,tij->sij", nuisance.background, self.terms)
        return np.asarray(nuisance.scale[:, None, None] * stack + background)


def scale_groups(study: Study) -> NDArray[np.intp]:
    """(n_slices,) number of the scale that each slice shares."""
    keys = [s if study.scale == "slice" else spec.ei for s, spec in enumerate(study.layout.slices)]
    return np.array([sorted(set(keys), key=keys.index).index(k) for k in keys])


def background_terms(study: Study) -> Array:
    """(n_terms, n0, n1) shapes of the background; the third component of Q is left out of |Q|^2, it moves little in a
    slice and the constant takes it up."""
    layout = study.layout
    reciprocal = study.lattice.reciprocal
    u, v = (reciprocal @ np.asarray(a.vector, float) for a in layout.axes)
    q = layout.axes[0].centres[:, None, None] * u + layout.axes[1].centres[:, None] * v
    q2 = (q**2).sum(axis=-1)
    shapes = {"constant": np.ones_like(q2), "q2": q2, "q4": q2**2}
    chosen = [shapes[t] for t in study.background.terms]
    # Legendre polynomials of the coordinates over the tile
    x, y = (2 * (a.centres - a.edges[0]) / (a.edges[-1] - a.edges[0]) - 1 for a in layout.axes)
    order = study.background.polynomial
    for i, j in [(i, total - i) for total in range(1, order + 1) for i in range(total + 1)]:
        chosen.append(np.multiply.outer(eval_legendre(i, x), eval_legendre(j, y)))
    return np.array(chosen).reshape(len(chosen), *q.shape[:2])
