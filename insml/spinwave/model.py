"""The spin model: spins in a magnetic cell with their couplings.

Conventions (docs/conventions.md): H = sum over bonds, each once, S_i^T J S_j + sum_i S_i^T A_i S_i - muB B^T g_i S_i with
real spin vectors of length S; J > 0 is antiferromagnetic; a moment along +B is stable; hkl in r.l.u. of the chemical cell;
intensity per chemical cell in units of hbar; physical +Q.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml import _core
from insml.errors import ModelError
from insml.spinwave.spectrum import Spectrum

Array = NDArray[np.float64]

_MODEL_KEYS = {"lattice_vectors", "supercell", "sites", "bonds", "biquadratic", "field", "k", "n", "twins"}
_SITE_KEYS = {"pos", "spin", "S", "g", "aniso", "label", "ff"}
_BOND_KEYS = {"i", "j", "dl", "J", "label"}


def _matrix(value: Any, name: str) -> Array:
    array = np.asarray(value, float)
    if array.shape != (3, 3):
        raise ModelError(f"{name}: expected a 3x3 matrix, found shape {array.shape}")
    return array


def _vector(value: Any, name: str) -> Array:
    array = np.asarray(value, float)
    if array.shape != (3,):
        raise ModelError(f"{name}: expected three numbers, found {value!r}")
    return array


def _reject_unknown(keys: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in keys:
        if key not in known:
            raise ModelError(f"{where}: expected only {', '.join(sorted(known))}, found {key!r}")


@dataclass(frozen=True, eq=False)
class Twin:
    """A domain: ``rotation`` (3, 3) Cartesian, orthogonal, takes the reference crystal into it; ``weight`` its share."""

    rotation: Array
    weight: float


class SpinModel:
    """Spins in a commensurate magnetic cell with their couplings.

    Parameters (keyword only; arrays are copied)
    ----------
    lattice_vectors : (3, 3) rows a, b, c of the chemical cell, Cartesian Angstrom.
    supercell : magnetic cell = n1 a x n2 b x n3 c.
    positions : (n, 3) fractional in the magnetic cell. spins : (n, 3) Cartesian, length S.
    anisotropy, g : (n, 3, 3). form_factors : per site a list a1 b1 a2 b2 ... c, or None.
    bonds : (i, j, dl, J) each physical bond once; energy S_i^T J S_j in meV.
    field : tesla, Cartesian. twins : domains, weights as given.

    Raises
    ------
    ModelError : inconsistent input, naming the entry.
    """

    def __init__(
        self,
        *,
        lattice_vectors: ArrayLike,
        supercell: tuple[int, int, int],
        positions: ArrayLike,
        spins: ArrayLike,
        anisotropy: ArrayLike | None = None,
        g: ArrayLike | None = None,
        form_factors: list[list[float] | None] | None = None,
        bonds: list[tuple[int, int, ArrayLike, ArrayLike]],
        field: ArrayLike = (0.0, 0.0, 0.0),
        twins: tuple[Twin, ...] = (),
    ) -> None:
        self.lattice_vectors = _matrix(lattice_vectors, "lattice_vectors")
        if len(supercell) != 3 or any(int(n) != n or n < 1 for n in supercell):
            raise ModelError(f"supercell: expected three positive integers, found {supercell!r}")
        self.supercell = (int(supercell[0]), int(supercell[1]), int(supercell[2]))
        self.positions = np.array(positions, float).reshape(-1, 3)
        n = len(self.positions)
        self.spins = np.array(spins, float).reshape(-1, 3)
        if len(self.spins) != n:
            raise ModelError(f"spins: expected {n} vectors, one for each position, found {len(self.spins)}")
        self.anisotropy = np.zeros((n, 3, 3)) if anisotropy is None else np.array(anisotropy, float)
        self.g = np.tile(2.0 * np.eye(3), (n, 1, 1)) if g is None else np.array(g, float)
        for name, array in (("anisotropy", self.anisotropy), ("g", self.g)):
            if array.shape != (n, 3, 3):
                raise ModelError(f"{name}: expected shape ({n}, 3, 3), found {array.shape}")
        self.form_factors = [None] * n if form_factors is None else list(form_factors)
        if len(self.form_factors) != n:
            raise ModelError(f"form_factors: expected {n} entries, found {len(self.form_factors)}")
        self.bonds = [
            (int(i), int(j), np.array(dl, np.int64).reshape(3), _matrix(J, f"bonds[{b}].J"))
            for b, (i, j, dl, J) in enumerate(bonds)
        ]
        self.field = _vector(field, "field")
        self.twins = tuple(twins)
        for t, twin in enumerate(self.twins):
            rotation = _matrix(twin.rotation, f"twins[{t}].rot")
            if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-6):
                raise ModelError(f"twins[{t}].rot: expected an orthogonal matrix, found {rotation.tolist()}")
            if not twin.weight > 0:
                raise ModelError(f"twins[{t}].weight: expected a positive number, found {twin.weight}")
        self.core  # noqa: B018  the core checks the rest

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> SpinModel:
        """From the "model" object of the JSON schema insml-lswt-oracle/1 (docs/conventions.md)."""
        _reject_unknown(d, _MODEL_KEYS, "model")
        if d.get("biquadratic"):
            raise ModelError("model.biquadratic: expected none, biquadratic exchange is not supported yet, found "
                             f"{len(d['biquadratic'])}")
        if "k" in d or "n" in d:
            raise ModelError("model.k: expected a commensurate magnetic cell, incommensurate structures are not supported "
                             f"yet, found k = {d.get('k')}")
        for key in ("lattice_vectors", "sites", "bonds"):
            if key not in d:
                raise ModelError(f"model: expected key {key!r}, found {sorted(d)}")
        sites, bonds = d["sites"], d["bonds"]
        for i, site in enumerate(sites):
            _reject_unknown(site, _SITE_KEYS, f"sites[{i}]")
        for i, bond in enumerate(bonds):
            _reject_unknown(bond, _BOND_KEYS, f"bonds[{i}]")
        return cls(
            lattice_vectors=d["lattice_vectors"],
            supercell=tuple(d.get("supercell", (1, 1, 1))),
            positions=[_vector(s["pos"], f"sites[{i}].pos") for i, s in enumerate(sites)],
            spins=[_vector(s["spin"], f"sites[{i}].spin") for i, s in enumerate(sites)],
            anisotropy=[_matrix(s.get("aniso", np.zeros((3, 3))), f"sites[{i}].aniso") for i, s in enumerate(sites)],
            g=[_matrix(s.get("g", 2 * np.eye(3)), f"sites[{i}].g") for i, s in enumerate(sites)],
            form_factors=[list(s["ff"]) if s.get("ff") is not None else None for s in sites],
            bonds=[(b["i"], b["j"], b["dl"], b["J"]) for b in bonds],
            field=d.get("field", (0.0, 0.0, 0.0)),
            twins=tuple(Twin(np.array(t["rot"], float), float(t["weight"])) for t in d.get("twins", ())),
        )

    def _compile(self, field: Array) -> _core.Model:
        nb = len(self.bonds)
        return _core.Model(
            lattice=self.lattice_vectors,
            supercell=self.supercell,
            positions=self.positions,
            spins=self.spins,
            anisotropy=self.anisotropy,
            g=self.g,
            form_factors=[[] if f is None else [float(x) for x in f] for f in self.form_factors],
            bond_sites=np.array([(i, j) for i, j, _, _ in self.bonds], np.int64).reshape(nb, 2),
            bond_cells=np.array([dl for _, _, dl, _ in self.bonds], np.int64).reshape(nb, 3),
            exchange=np.array([J for _, _, _, J in self.bonds], float).reshape(nb, 3, 3),
            field=field,
        )

    @cached_property
    def core(self) -> _core.Model:
        """The compiled model of the Rust core (reference domain)."""
        return self._compile(self.field)

    @property
    def n_modes(self) -> int:
        """Positive-energy modes of one domain: the number of spins in the magnetic cell."""
        return len(self.positions)

    def domain_core(self, twin: Twin) -> _core.Model:
        """Compiled model of a twin in its own axes; only the field differs, B -> B R."""
        return self.core if not self.field.any() else self._compile(self.field @ twin.rotation)

    def spectrum(
        self,
        q: ArrayLike,
        *,
        form_factor: bool = False,
        g_tensor: bool = False,
        tensor: bool = True,
        unstable: str = "raise",
        threads: int = 0,
    ) -> Spectrum:
        """Energies and intensities at ``q``.

        Parameters
        ----------
        q : (nq, 3) or (3,) r.l.u. of the chemical cell.
        form_factor : multiply amplitudes by <j0> of each site's ion.
        g_tensor : correlations of g S instead of S.
        tensor : also keep S^ab.
        unstable : only "raise" so far.
        threads : 0 for one per core. The numbers do not depend on it.

        Raises
        ------
        UnstableStructureError : the structure is not an energy minimum; carries q and the lowest eigenvalue in meV.
        """
        if unstable != "raise":
            raise ModelError(f"unstable: expected 'raise' (other treatments are not there yet), found {unstable!r}")
        points = np.ascontiguousarray(np.atleast_2d(np.asarray(q, float)))
        if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
            raise ModelError(f"q: expected finite numbers of shape (nq, 3), found shape {np.shape(q)}")
        if not self.twins:
            return self._domain(self.core, points, np.eye(3), 1.0, form_factor, g_tensor, tensor, threads, points)
        domains = []
        v = self.lattice_vectors.T
        for twin in self.twins:
            inside = np.ascontiguousarray(points @ np.linalg.inv(v) @ twin.rotation @ v)
            domains.append(self._domain(self.domain_core(twin), inside, twin.rotation, twin.weight, form_factor,
                                        g_tensor, tensor, threads, points))
        return Spectrum(
            points,
            np.concatenate([d.energy for d in domains], axis=1),
            np.concatenate([d.weight * d.intensity for d in domains], axis=1),
            domains=tuple(domains),
            _tensor=np.concatenate([d.weight * d.tensor for d in domains], axis=1) if tensor else None,
        )

    def _domain(self, core: _core.Model, inside: Array, rotation: Array, weight: float, form_factor: bool,
                g_tensor: bool, tensor: bool, threads: int, points: Array) -> Spectrum:
        n = self.n_modes
        energy, intensity, flat = core.spectrum(inside, form_factor=form_factor, g_tensor=g_tensor, tensor=tensor,
                                                threads=threads)
        full = None
        if tensor:
            full = np.einsum("ac,qmcd,bd->qmab", rotation, flat.reshape(-1, n, 3, 3), rotation, optimize=True)
        return Spectrum(points, energy.reshape(-1, n), intensity.reshape(-1, n), weight, (), full)
