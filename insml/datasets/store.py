"""A clean simulated training set, in memory and in one file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import FormatError, InsmlError
from insml.mosaic import MosaicLayout

_KIND = "insml training set"
_VERSION = 1
_ARRAYS = ("clean", "labels", "theta")


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Noiseless simulated stacks with what they were made from.

    Attributes
    ----------
    clean : (n, n_slices, n0, n1) float32, intensity >= 0 in any units, without noise, background or mask.
    labels : (n,) int64, index into ``candidates``.
    theta : (n, npar) float64, parameters of each image in the order of ``parameter_names[label]``; rows of candidates
        with fewer parameters end in NaN.
    parameter_names : for each candidate the names of its parameters.
    candidates : names, in study order.
    layout : slices and bins of the stacks.
    study_digest : identifies the study that was simulated.
    seed : of the draw of the parameters.
    """

    clean: NDArray[np.float32]
    labels: NDArray[np.int64]
    theta: NDArray[np.float64]
    parameter_names: tuple[tuple[str, ...], ...]
    candidates: tuple[str, ...]
    layout: MosaicLayout
    study_digest: str
    seed: int

    def __post_init__(self) -> None:
        n = len(self.labels)
        for name, found, expected in (
            ("clean", self.clean.shape, (n, *self.layout.stack_shape)),
            ("labels", self.labels.shape, (n,)),
            ("theta", self.theta.shape, (n, max(map(len, self.parameter_names), default=0))),
            ("parameter_names", len(self.parameter_names), len(self.candidates)),
        ):
            if found != expected:
                raise InsmlError(f"training set: {name}: expected shape {expected}, found {found}")
        if len(self.candidates) < 2:
            raise InsmlError(f"training set: candidates: expected at least two, found {len(self.candidates)}")
        if n and not (self.labels.min() >= 0 and self.labels.max() < len(self.candidates)):
            raise InsmlError(f"training set: labels: expected 0 to {len(self.candidates) - 1}, "
                             f"found {self.labels.min()} to {self.labels.max()}")

    def __len__(self) -> int:
        return len(self.labels)

    def parameters(self, i: int) -> dict[str, float]:
        """Parameters of image ``i`` by name, meV."""
        names = self.parameter_names[int(self.labels[i])]
        return {name: float(value) for name, value in zip(names, self.theta[i], strict=False)}

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of contents; equal sets train equal networks."""
        h = hashlib.sha256(json.dumps(self._header(), sort_keys=True).encode())
        for name in _ARRAYS:
            h.update(np.ascontiguousarray(getattr(self, name)).data)
        return h.hexdigest()

    def _header(self) -> dict[str, Any]:
        return {
            "kind": _KIND, "version": _VERSION, "candidates": list(self.candidates),
            "parameter_names": [list(names) for names in self.parameter_names],
            "layout": self.layout.to_dict(), "study_digest": self.study_digest, "seed": self.seed,
        }

    def save(self, path: str | Path) -> None:
        """Write one uncompressed ``.npz``, whole or not at all. Its zip members carry CRC-32 checksums."""
        from insml.io.atomic import atomic_path

        with atomic_path(Path(path)) as tmp, tmp.open("wb") as file:
            np.savez(file, header=np.array(json.dumps(self._header())), clean=self.clean, labels=self.labels,
                     theta=self.theta)

    @classmethod
    def load(cls, path: str | Path) -> TrainingSet:
        """Read back what :meth:`save` wrote.

        Raises
        ------
        FormatError
            Not a training set, damaged (every byte of every array is checked), or of another version.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                content = np.load(file, allow_pickle=False)
                if isinstance(content, np.ndarray):
                    raise FormatError(path, "an insml training set (.npz)", "a bare .npy array")
                header = json.loads(str(content["header"]))
                arrays = {name: content[name] for name in _ARRAYS}
        except FormatError:
            raise
        except Exception as e:  # zipfile and numpy raise many kinds, RuntimeError among them, over damaged bytes
            raise FormatError(path, "an insml training set (.npz)", f"no readable one ({_first_line(e)})") from e
        if not isinstance(header, dict) or header.get("kind") != _KIND:
            raise FormatError(path, "an insml training set (.npz)", "another .npz file")
        if header.get("version") != _VERSION:
            raise FormatError(path, f"training set version {_VERSION}", f"version {header.get('version')}")
        try:
            return cls(
                clean=arrays["clean"], labels=arrays["labels"], theta=arrays["theta"],
                parameter_names=tuple(map(tuple, header["parameter_names"])),
                candidates=tuple(header["candidates"]), layout=MosaicLayout.from_dict(header["layout"]),
                study_digest=header["study_digest"], seed=header["seed"],
            )
        except (KeyError, TypeError, ValueError) as e:
            raise FormatError(path, "a consistent training set", _first_line(e)) from e


def _first_line(e: BaseException) -> str:
    return (str(e) or type(e).__name__).splitlines()[0]
