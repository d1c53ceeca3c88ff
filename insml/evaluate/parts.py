"""Parts of an evaluation: one kind of images each, what every network says of them, kept on disk as soon as it is there."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from insml.errors import FormatError
from insml.evaluate.shifts import Shifted
from insml.io.atomic import atomic_path
from insml.learn.classifier import Classifier
from insml.learn.record import Record
from insml.learn.threads import torch_threads, workers
from insml.learn.whole import Whole, gathered, seen_whole

T = TypeVar("T")
_CHUNK = 128  # images in memory at a time, as networks see them
_FIELDS = ("scores", "epistemic", "middle", "features", "appearance", "changes", "odd")


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
        found = self._kept(name, of, "a part of an evaluation", self._part, lambda: self._answered(make(), seed, progress),
                           _arrays)
        progress(len(found), len(found))
        return found

    def numbers(self, name: str, make: Callable[[], NDArray[np.float64]], of: Any = None) -> NDArray[np.float64]:
        """(n,) of images, one number each; from the folder where they are there.

        Raises
        ------
        FormatError : as :meth:`get`.
        """
        return self._kept(name, of, "numbers of an evaluation", lambda file: np.asarray(file["numbers"], float), make,
                          lambda found: {"numbers": found})

    def _kept(self, name: str, of: Any, what: str, read: Callable[[Mapping[str, NDArray[Any]]], T], make: Callable[[], T],
              arrays: Callable[[T], dict[str, Any]]) -> T:
        """What the file of a name holds, made and written where there is none of this identity."""
        path, key = self.folder / f"{name}.npz", self._key(of)
        if path.exists():
            try:
                with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                    if str(file["key"]) == key:
                        return read(file)
            except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
                raise FormatError(path, what, str(error)) from None
        found = make()
        with atomic_path(path) as aside, aside.open("wb") as out:
            np.savez(out, key=key, **arrays(found))
        return found

    def _answered(self, images: Shifted, seed: int, progress: Callable[[int, int], None]) -> Part:
        forms = {network.form.mirrors: network.form for network in self.networks}

        def seen(i: int) -> dict[tuple[bool, bool], Whole]:
            measured = images.corruption.apply(images.clean[i], seed, i)
            return {mirrors: seen_whole(form, *measured) for mirrors, form in forms.items()}

        records: list[list[Record]] = [[] for _ in self.networks]
        n = len(images.labels)
        chunks = [range(first, min(first + _CHUNK, n)) for first in range(0, n, _CHUNK)]
        # networks beside each other: threads of one operation would wait for each other after each layer
        with torch_threads(1), workers(self.threads) as pool:
            made = [pool.submit(seen, i) for i in chunks[0]]
            for chunk, following in zip_longest(chunks, chunks[1:], fillvalue=range(0)):
                whole = [one.result() for one in made]
                asked = [pool.submit(network.record, *gathered([w[network.form.mirrors] for w in whole]))
                         for network in self.networks]
                made = [pool.submit(seen, i) for i in following]
                for own, one in zip(records, asked, strict=True):
                    own.append(one.result())
                progress(chunk.stop, n)
        return Part(images.labels, images.variants, tuple(map(_slim, map(Record.joined, records))))

    def _key(self, of: Any) -> str:
        return hashlib.sha256(json.dumps([_FIELDS, self._identity, of], sort_keys=True).encode()).hexdigest()

    def _part(self, file: Mapping[str, NDArray[Any]]) -> Part:
        records = tuple(_record({name: file[f"{name}{k}"].astype(float) for name in _FIELDS})
                        for k in range(len(self.networks)))
        return Part(file["labels"], tuple(file["variants"].tolist()), records)


def _arrays(part: Part) -> dict[str, Any]:
    arrays: dict[str, Any] = {"labels": part.labels, "variants": np.array(part.variants)}
    for k, record in enumerate(part.records):
        arrays |= {f"{name}{k}": _precision(name, getattr(record, name)) for name in _FIELDS}
    return arrays


def _precision(name: str, values: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
    return values.astype(np.float64 if name == "scores" else np.float32)


def _slim(record: Record) -> Record:
    """With the middle layer alone, in the precision that is kept."""
    return _record({name: _precision(name, getattr(record, name)).astype(float) for name in _FIELDS})


def _record(arrays: dict[str, NDArray[np.float64]]) -> Record:
    return Record(arrays["scores"], arrays["epistemic"], (arrays["middle"],), arrays["features"], arrays["appearance"],
                  arrays["changes"], arrays["odd"])
