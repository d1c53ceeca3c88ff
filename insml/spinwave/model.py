"""The spin model: spins in a magnetic cell with their couplings.

Conventions (docs/conventions.md): H = sum over bonds, each once, S_i^T J S_j + (B/2) (S_i.S_j)^2, + sum_i S_i^T A_i S_i
- muB B^T g_i S_i with real spin vectors of length S; J > 0 is antiferromagnetic; a moment along +B is stable; hkl in
r.l.u. of the chemical cell; intensity per chemical cell in units of hbar; physical +Q.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml import _core
from insml.errors import ModelError, UnstableStructureError
from insml.spinwave import checks, parameters
from insml.spinwave.description import Description
from insml.spinwave.parameters import Parameter
from insml.spinwave.spectrum import Spectrum, Tensor

if TYPE_CHECKING:
    from insml.spinwave.gradient import Gradient

Array = NDArray[np.float64]

_MODEL_KEYS = {"lattice_vectors", "supercell", "sites", "bonds", "biquadratic", "field", "k", "n", "twins"}
_SITE_KEYS = {"pos", "spin", "S", "g", "aniso", "label", "ff"}
_BOND_KEYS = {"i", "j", "dl", "J", "label"}
_BIQUADRATIC_KEYS = {"i", "j", "dl", "B", "label"}

Bond = tuple[int, int, NDArray[np.int64], Array]
Biquadratic = tuple[int, int, NDArray[np.int64], float]


@dataclass(frozen=True, eq=False)
class Twin:
    """A domain: ``rotation`` (3, 3) Cartesian, orthogonal, takes the reference crystal into it; ``weight`` its share."""

    rotation: Array
    weight: float

    @property
    def axial(self) -> Array:
        """(3, 3) what the domain does to axial vectors (spins, fields): det(R) R."""
        return np.asarray(np.sign(np.linalg.det(self.rotation)) * self.rotation)


class SpinModel:
    """Spins with their couplings, in a magnetic cell or with a single propagation vector in a rotating frame.

    Parameters (keyword only; arrays are copied; each is an attribute of the same name)
    ----------
    lattice_vectors : (3, 3) rows a, b, c of the chemical cell, Cartesian Angstrom.
    supercell : magnetic cell = n1 a x n2 b x n3 c.
    positions : (n, 3) fractional in the magnetic cell. spins : (n, 3) Cartesian, length S.
    anisotropy, g : (n, 3, 3), symmetrised. form_factors : per site a list a1 b1 a2 b2 ... c, or None.
    bonds : (i, j, dl, J) each physical bond once; energy S_i^T J S_j in meV, site j in the magnetic cell dl away.
    bond_labels : a name for each bond ("" for none); they become the names of ``parameters``.
    biquadratic : (i, j, dl, B) each once; energy (B/2) (S_i.S_j)^2.
    field : tesla, Cartesian. twins : domains, weights as given.
    k, n : single propagation vector (r.l.u. of the chemical cell) and the axis about which spins turn,
        S_i(cell l) = R_n(2 pi k.l) S_i; both or neither. Every coupling must be invariant under rotations about n.
    labels : a name for each site. parameters : named directions of the couplings; None for those of ``bond_labels``.

    Raises
    ------
    ModelError : inconsistent input, naming the entry.
    """

    def __init__(
        self,
        *,
        lattice_vectors: ArrayLike,
        supercell: Sequence[int] = (1, 1, 1),
        positions: ArrayLike,
        spins: ArrayLike,
        anisotropy: ArrayLike | None = None,
        g: ArrayLike | None = None,
        form_factors: Sequence[Sequence[float] | None] | None = None,
        bonds: Sequence[tuple[int, int, ArrayLike, ArrayLike]] = (),
        bond_labels: Sequence[str] | None = None,
        biquadratic: Sequence[tuple[int, int, ArrayLike, float]] = (),
        field: ArrayLike = (0.0, 0.0, 0.0),
        twins: Sequence[Twin] = (),
        k: ArrayLike | None = None,
        n: ArrayLike | None = None,
        labels: Sequence[str] | None = None,
        parameters: Mapping[str, Parameter] | None = None,
        _like: _core.Model | None = None,
    ) -> None:
        self.lattice_vectors = checks.cell(lattice_vectors, "lattice_vectors")
        cells = [checks.whole(m, "supercell") for m in checks.entries(supercell, "supercell")]
        if len(cells) != 3 or min(cells) < 1:
            raise ModelError(f"supercell: expected three positive integers, found {checks.shown(supercell)}")
        self.supercell = (cells[0], cells[1], cells[2])
        self.positions = checks.vectors(positions, None, "positions")
        sites = len(self.positions)
        self.spins = checks.vectors(spins, sites, "spins")
        self.anisotropy = checks.matrices(np.zeros((sites, 3, 3)) if anisotropy is None else anisotropy, sites,
                                          "anisotropy")
        self.g = checks.matrices(np.tile(2.0 * np.eye(3), (sites, 1, 1)) if g is None else g, sites, "g")
        self.form_factors = [None] * sites if form_factors is None else [
            None if f is None else [checks.number(x, f"form_factors[{i}]") for x in checks.entries(f, f"form_factors[{i}]")]
            for i, f in enumerate(checks.entries(form_factors, "form_factors"))]
        self.labels = tuple(f"site {i}" for i in range(sites)) if labels is None else tuple(
            str(x) for x in checks.entries(labels, "labels"))
        for name, count in (("form_factors", len(self.form_factors)), ("labels", len(self.labels))):
            if count != sites:
                raise ModelError(f"{name}: expected {sites} entries, one for each position, found {count}")
        self.bonds: list[Bond] = [
            (checks.whole(i, f"bonds[{b}].i"), checks.whole(j, f"bonds[{b}].j"), _cell(dl, f"bonds[{b}].dl"),
             checks.matrix(J, f"bonds[{b}].J"))
            for b, (i, j, dl, J) in enumerate(checks.entries(bonds, "bonds", "i, j, dl, J"))
        ]
        self.bond_labels = [""] * len(self.bonds) if bond_labels is None else [
            str(x) for x in checks.entries(bond_labels, "bond_labels")]
        if len(self.bond_labels) != len(self.bonds):
            raise ModelError(f"bond_labels: expected {len(self.bonds)} entries, one for each bond, found "
                             f"{len(self.bond_labels)}")
        self.biquadratic: list[Biquadratic] = [
            (checks.whole(i, f"biquadratic[{b}].i"), checks.whole(j, f"biquadratic[{b}].j"),
             _cell(dl, f"biquadratic[{b}].dl"), checks.number(B, f"biquadratic[{b}].B"))
            for b, (i, j, dl, B) in enumerate(checks.entries(biquadratic, "biquadratic", "i, j, dl, B"))
        ]
        self.field = checks.vector(field, "field")
        self.twins = tuple(checks.entries(twins, "twins"))
        for t, twin in enumerate(self.twins):
            if not isinstance(twin, Twin):
                raise ModelError(f"twins[{t}]: expected a Twin, found {checks.shown(twin)}")
            rotation = checks.matrix(twin.rotation, f"twins[{t}].rot")
            if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-6):
                raise ModelError(f"twins[{t}].rot: expected an orthogonal matrix (a proper rotation or a reflection), "
                                 f"found {rotation.tolist()}")
            if not checks.number(twin.weight, f"twins[{t}].weight") > 0:
                raise ModelError(f"twins[{t}].weight: expected a positive number, found {twin.weight}")
        self.k, self.n = _rotating_frame(k, n)
        self._like = _like
        self._named = None if parameters is None else dict(parameters)
        self.core  # noqa: B018  the core checks the rest

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> SpinModel:
        """From the "model" object of the JSON schema insml-lswt-oracle/1 (docs/conventions.md)."""
        checks.reject_unknown(d, _MODEL_KEYS, "model")
        for key in ("lattice_vectors", "sites", "bonds"):
            if key not in d:
                raise ModelError(f"model: expected key {key!r}, found {sorted(d)}")
        sites, bonds, biquadratic = d["sites"], d["bonds"], d.get("biquadratic") or []
        for name, entries, known in (("sites", sites, _SITE_KEYS), ("bonds", bonds, _BOND_KEYS),
                                     ("biquadratic", biquadratic, _BIQUADRATIC_KEYS)):
            for i, entry in enumerate(entries):
                checks.reject_unknown(entry, known, f"{name}[{i}]")
        for i, site in enumerate(sites):
            for key in ("pos", "spin"):
                if key not in site:
                    raise ModelError(f"sites[{i}]: expected key {key!r}, found {sorted(site)}")
        for name, entries, needed in (("bonds", bonds, "J"), ("biquadratic", biquadratic, "B")):
            for i, entry in enumerate(entries):
                for key in ("i", "j", "dl", needed):
                    if key not in entry:
                        raise ModelError(f"{name}[{i}]: expected key {key!r}, found {sorted(entry)}")
        return cls(
            lattice_vectors=d["lattice_vectors"],
            supercell=d.get("supercell", (1, 1, 1)),
            positions=[checks.vector(s["pos"], f"sites[{i}].pos") for i, s in enumerate(sites)],
            spins=[checks.vector(s["spin"], f"sites[{i}].spin") for i, s in enumerate(sites)],
            anisotropy=[checks.matrix(s.get("aniso", np.zeros((3, 3))), f"sites[{i}].aniso") for i, s in enumerate(sites)],
            g=[checks.matrix(s.get("g", 2 * np.eye(3)), f"sites[{i}].g") for i, s in enumerate(sites)],
            form_factors=[s.get("ff") for s in sites],
            labels=[str(s.get("label", f"site {i}")) for i, s in enumerate(sites)],
            bonds=[(b["i"], b["j"], b["dl"], b["J"]) for b in bonds],
            bond_labels=[str(b.get("label", "")) for b in bonds],
            biquadratic=[(b["i"], b["j"], b["dl"], b["B"]) for b in biquadratic],
            field=d.get("field", (0.0, 0.0, 0.0)),
            twins=tuple(Twin(checks.matrix(t["rot"], f"twins[{i}].rot"), checks.number(t["weight"], f"twins[{i}].weight"))
                        for i, t in enumerate(d.get("twins") or ())),
            k=d.get("k"),
            n=d.get("n"),
        )

    def replace(self, **changes: Any) -> SpinModel:
        """The same model with some of the constructor's arguments changed. New couplings drop explicit parameters."""
        known: dict[str, Any] = {
            "lattice_vectors": self.lattice_vectors, "supercell": self.supercell, "positions": self.positions,
            "spins": self.spins, "anisotropy": self.anisotropy, "g": self.g, "form_factors": self.form_factors,
            "bonds": self.bonds, "bond_labels": self.bond_labels, "biquadratic": self.biquadratic, "field": self.field,
            "twins": self.twins, "k": self.k, "n": self.n, "labels": self.labels, "parameters": self._named, "_like": None,
        }
        for key in changes:
            if key not in known:
                raise ModelError(f"replace: expected one of {', '.join(known)}, found {key!r}")
        if "bonds" in changes and "bond_labels" not in changes and len(changes["bonds"]) != len(self.bonds):
            known["bond_labels"] = None
        if not {"bonds", "biquadratic", "anisotropy", "field"}.isdisjoint(changes):
            known["parameters"] = None
        return SpinModel(**{**known, **changes})

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """Named directions of the couplings, with where they stand."""
        if self._named is not None:
            return self._named
        return parameters.from_labels(self.bonds, self.bond_labels, self.field)

    def with_parameters(self, values: Mapping[str, float]) -> SpinModel:
        """The same spins with named parameters moved to ``values``."""
        exchange = [J.copy() for *_, J in self.bonds]
        biquadratic = [B for *_, B in self.biquadratic]
        anisotropy, field = self.anisotropy.copy(), self.field.copy()
        moved = dict(self.parameters)
        for name, value in values.items():
            if name not in self.parameters:
                raise ModelError(f"parameters: expected some of {', '.join(self.parameters) or '(none)'}, found {name!r}")
            p = self.parameters[name]
            step = float(value) - p.value
            for b, direction in p.exchange.items():
                exchange[b] += step * direction
            for b, slope in p.biquadratic.items():
                biquadratic[b] += step * slope
            for i, direction in p.anisotropy.items():
                anisotropy[i] += step * direction
            if p.field is not None:
                field += step * p.field
            moved[name] = Parameter(float(value), p.exchange, p.biquadratic, p.anisotropy, p.field)
        return self.replace(
            bonds=[(i, j, dl, J) for (i, j, dl, _), J in zip(self.bonds, exchange, strict=True)],
            biquadratic=[(i, j, dl, B) for (i, j, dl, _), B in zip(self.biquadratic, biquadratic, strict=True)],
            anisotropy=anisotropy, field=field, parameters=None if self._named is None else moved,
            _like=self.core,
        )

    def _compile(self, field: Array) -> _core.Model:
        nb, nq = len(self.bonds), len(self.biquadratic)
        return _core.Model(
            lattice=self.lattice_vectors,
            supercell=self.supercell,
            positions=self.positions,
            spins=self.spins,
            anisotropy=self.anisotropy,
            g=self.g,
            form_factors=[[] if f is None else f for f in self.form_factors],
            bond_sites=np.array([(i, j) for i, j, _, _ in self.bonds], np.int64).reshape(nb, 2),
            bond_cells=np.array([dl for _, _, dl, _ in self.bonds], np.int64).reshape(nb, 3),
            exchange=np.array([J for _, _, _, J in self.bonds], float).reshape(nb, 3, 3),
            biquadratic_sites=np.array([(i, j) for i, j, _, _ in self.biquadratic], np.int64).reshape(nq, 2),
            biquadratic_cells=np.array([dl for _, _, dl, _ in self.biquadratic], np.int64).reshape(nq, 3),
            biquadratic=np.array([B for _, _, _, B in self.biquadratic], float),
            field=field,
            like=self._like,
            rotating=None if self.k is None or self.n is None else (tuple(self.k.tolist()), tuple(self.n.tolist())),
        )

    @cached_property
    def core(self) -> _core.Model:
        """The compiled model of the Rust core (reference domain)."""
        return self._compile(self.field)

    @property
    def n_modes(self) -> int:
        """Positive-energy modes of one domain: the spins in the magnetic cell, three times as many in a rotating frame (two
        where 2k is a reciprocal lattice vector of the magnetic cell)."""
        return self.core.modes

    def domain_core(self, twin: Twin) -> _core.Model:
        """Compiled model of a twin in its own axes; only the field differs."""
        return self.core if not self.field.any() else self._compile(self.field @ twin.axial)

    def spectrum(
        self,
        q: ArrayLike,
        *,
        form_factor: bool = False,
        g_tensor: bool = False,
        tensor: bool = False,
        unstable: str = "raise",
        blocks: bool = True,
        threads: int = 0,
    ) -> Spectrum:
        """Energies and intensities at ``q``.

        Parameters
        ----------
        q : (nq, 3) or (3,) r.l.u. of the chemical cell.
        form_factor : multiply amplitudes by <j0> of each site's ion.
        g_tensor : correlations of g S instead of S.
        tensor : compute S^ab at once. Without, :attr:`Spectrum.tensor` costs a second pass when it is asked for.
        unstable : "raise" demands a structure of (locally) least energy; "general" diagonalises where the quadratic form is
            not positive (R. M. White et al., Phys. Rev. 139, A450 (1965)): modes with complex energy come back as NaN.
        blocks : False solves every point as a whole, without the blocks of :meth:`describe` (slower, for checks).
        threads : 0 for one per core. The numbers do not depend on it.

        Raises
        ------
        UnstableStructureError : the structure is not an energy minimum; carries q and the lowest eigenvalue in meV.
        """
        if unstable not in ("raise", "general"):
            raise ModelError(f"unstable: expected 'raise' or 'general', found {unstable!r}")
        points = checks.wave_vectors(q)
        call = {"form_factor": form_factor, "g_tensor": g_tensor, "general": unstable == "general", "blocks": blocks,
                "threads": threads}
        if not self.twins:
            return self._domain(self.core, points, points, Twin(np.eye(3), 1.0), tensor, call)
        v = self.lattice_vectors.T
        domains = tuple(
            self._domain(self.domain_core(twin), points,
                         np.ascontiguousarray(points @ np.linalg.inv(v) @ twin.rotation @ v), twin, tensor, call)
            for twin in self.twins)

        def all_tensors() -> Tensor:
            return np.concatenate([d.weight * d.tensor for d in domains], axis=1)

        return Spectrum(
            points,
            np.concatenate([d.energy for d in domains], axis=1),
            np.concatenate([d.weight * d.intensity for d in domains], axis=1),
            domains=domains,
            lattice_vectors=self.lattice_vectors,
            _tensor=all_tensors,
        )

    def spectra(self, q: ArrayLike | Iterator[ArrayLike], *, chunk: int = 65536, **options: Any) -> Iterator[Spectrum]:
        """:meth:`spectrum` piece by piece, ``chunk`` wave vectors at a time, in bounded memory.

        ``q`` is an array (nq, 3), which may be a memory map, or an iterator of arrays (n, 3); ``options`` are those of
        :meth:`spectrum`.
        """
        parts: Iterable[ArrayLike] = q if isinstance(q, Iterator) else [np.asanyarray(q)]
        for part in parts:
            whole = np.atleast_2d(np.asanyarray(part))
            for start in range(0, len(whole), chunk):
                yield self.spectrum(whole[start:start + chunk], **options)

    def gradient(self, q: ArrayLike, parameters: Sequence[str] | None = None, **options: Any) -> Gradient:
        """Energies and intensities with their derivatives: :func:`insml.spinwave.gradient.gradient` of this model."""
        from insml.spinwave.gradient import gradient

        return gradient(self, q, parameters, **options)

    def _domain(self, core: _core.Model, points: Array, inside: Array, twin: Twin, tensor: bool,
                call: Mapping[str, Any]) -> Spectrum:
        n = self.n_modes

        def turned(flat: Tensor) -> Tensor:
            full = flat.reshape(-1, n, 3, 3)
            return np.einsum("ac,qmcd,bd->qmab", twin.rotation, full, twin.rotation, optimize=True) if self.twins else full

        try:
            energy, intensity, flat = core.spectrum(inside, tensor=tensor, **call)
        except UnstableStructureError as e:
            from insml.spinwave.diagnosis import explain_instability

            reason = partial(explain_instability, self, e.q)
            raise UnstableStructureError(e.q, e.lowest_eigenvalue, reason) from None
        later: Tensor | Callable[[], Tensor]
        later = turned(flat) if tensor else lambda: turned(core.spectrum(inside, tensor=True, **call)[2])
        return Spectrum(points, energy.reshape(-1, n), intensity.reshape(-1, n), twin.weight, (), self.lattice_vectors,
                        later)

    def describe(self) -> Description:
        """How the model is solved and why: the blocks found and what each costs."""
        return Description.of(self.core.blocks(), len(self.positions), self.n_modes)


def _cell(value: Any, name: str) -> NDArray[np.int64]:
    array = checks.vector(value, name)
    rounded = np.rint(array)
    if not np.array_equal(array, rounded) or np.abs(array).max() > 2**20:
        raise ModelError(f"{name}: expected three whole numbers of cells, found {checks.shown(value)}")
    return rounded.astype(np.int64)


def _rotating_frame(k: ArrayLike | None, n: ArrayLike | None) -> tuple[Array | None, Array | None]:
    if k is None and n is None:
        return None, None
    if k is None or n is None:
        raise ModelError(f"k, n: expected both or neither, found k = {k!r}, n = {n!r}")
    axis = checks.vector(n, "n")
    length = np.linalg.norm(axis)
    if not length > 1e-9:
        raise ModelError(f"n: expected a direction, found {axis.tolist()}")
    return checks.vector(k, "k"), axis / length
