"""Parts of an evaluation: one kind of images each, what every network says of them, kept on disk as soon as it is there."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import FormatError
from insml.evaluate.shifts import Shifted
from insml.io.atomic import atomic_path
from insml.learn.classifier import Classifier
from insml.learn.record import Record

Float32 = NDArray[np.float32]
_CHUNK = 128  # images in memory at a time, as networks see them
_FIELDS = ("scores", "epistemic", "middle", "features")


@dataclass(frozen=True, eq=False)
class Part:
    """Of n images: ``labels`` (-1 where no candidate is right), ``variants`` in words, and a record per network."""

    labels: NDArray[np.int64]
    variants: tuple[str, ...]
    records: tuple[Record, ...]

    def __len__(self) -> int:
        return len(self.labels)


class Parts:
    """Parts by name in a folder. ``identity``: what they depend on beside their names; parts of another are made anew.

    A part may depend on more, ``of`` in what follows.
    """

    def __init__(self, folder: Path, networks: Sequence[Classifier], identity: dict[str, Any], threads: int = 0) -> None:
        self.folder, self.networks = folder, networks
        self._identity = identity
        self.threads = threads or os.cpu_count() or 1
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, name: str, make: Callable[[], Shifted], seed: int,
            progress: Callable[[int, int], None] = lambda done, total: None, of: Any = None) -> Part:
        """The part, from the folder where it is there; ``make`` its images otherwise.

        Raises
        ------
        FormatError : a file of that name that is no such part.
        """
        path, key = self.folder / f"{name}.npz", self._key(of)
        found = self._read(path, key) if path.exists() else None
        if found is None:
            found = self._answered(make(), seed, progress)
            self._write(path, key, found)
        progress(len(found), len(found))
        return found

    def numbers(self, name: str, make: Callable[[], NDArray[np.float64]], of: Any = None) -> NDArray[np.float64]:
        """(n,) of images, one number each; from the folder where they are there.

        Raises
        ------
        FormatError : as :meth:`get`.
        """
        path, key = self.folder / f"{name}.npz", self._key(of)
        if path.exists():
            try:
                with np.load(path, allow_pickle=False) as file:
                    if str(file["key"]) == key:
                        return np.asarray(file["numbers"], float)
            except (OSError, ValueError, KeyError, EOFError) as error:
                raise FormatError(path, "numbers of an evaluation", str(error)) from None
        found = make()
        with atomic_path(path) as aside, aside.open("wb") as file:
            np.savez(file, key=key, numbers=found)
        return found

    def _answered(self, images: Shifted, seed: int, progress: Callable[[int, int], None]) -> Part:
        records: list[list[Record]] = [[] for _ in self.networks]
        with ThreadPoolExecutor(self.threads) as pool:
            for first in range(0, len(images.labels), _CHUNK):
                numbers = range(first, min(first + _CHUNK, len(images.labels)))
                measured = list(pool.map(lambda i: images.corruption.apply(images.clean[i], seed, i), numbers))
                seen: dict[tuple[bool, bool], Float32] = {}
                for own, network in zip(records, self.networks, strict=True):
                    form = network.form
                    if form.mirrors not in seen:
                        seen[form.mirrors] = np.stack(list(pool.map(lambda m, f=form: f(*m), measured)))
                    own.append(network.record(seen[form.mirrors]))
                progress(numbers.stop, len(images.labels))
        return Part(images.labels, images.variants, tuple(map(_slim, map(Record.joined, records))))

    def _key(self, of: Any) -> str:
        return hashlib.sha256(json.dumps([self._identity, of], sort_keys=True).encode()).hexdigest()

    @staticmethod
    def _write(path: Path, key: str, part: Part) -> None:
        arrays: dict[str, Any] = {"key": key, "labels": part.labels, "variants": np.array(part.variants)}
        for k, record in enumerate(part.records):
            arrays |= {f"{name}{k}": getattr(record, name).astype(np.float32 if name != "scores" else float)
                       for name in _FIELDS}
        with atomic_path(path) as aside, aside.open("wb") as file:
            np.savez(file, **arrays)

    def _read(self, path: Path, key: str) -> Part | None:
        try:
            with np.load(path, allow_pickle=False) as file:
                if str(file["key"]) != key:
                    return None
                records = tuple(_kept({name: file[f"{name}{k}"].astype(float) for name in _FIELDS})
                                for k in range(len(self.networks)))
                return Part(file["labels"], tuple(file["variants"].tolist()), records)
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise FormatError(path, "a part of an evaluation", str(error)) from None


def _slim(record: Record) -> Record:
    """With the middle layer alone, in the precision that is kept."""
    return _kept({name: getattr(record, name).astype(np.float32 if name != "scores" else float).astype(float)
                  for name in _FIELDS})


def _kept(arrays: dict[str, NDArray[np.float64]]) -> Record:
    return Record(arrays["scores"], arrays["epistemic"], (arrays["middle"],), arrays["features"])
