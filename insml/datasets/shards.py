"""Data sets at the scale of a study: simulated in shards, on one machine or many, the same images however divided.

Image number j is of class j % classes; its parameters and its condition depend on (seed, class, j // classes) alone. A
shard is a run of SHARD numbers, two files: ``00000.npy`` with the images in float16, each scaled to a largest value of
1000, and ``00000.json`` with everything else and the checksum of the first; it is there when the second is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from insml.datasets.conditions import CONDITIONS, Condition, draw_conditions, simulator
from insml.datasets.prior import draw_stable, near_references
from insml.datasets.store import TrainingSet
from insml.errors import FormatError, InsmlError
from insml.io.atomic import atomic_path
from insml.jobs.executor import Executor, LocalExecutor
from insml.study import Candidate, Study, load

Progress = Callable[[str, int, int], None]

SHARD = 128
_KIND, _VERSION, _LARGEST = "insml data set", 1, 1000.0
_HEADER, _STUDY = "dataset.json", "study.toml"


@dataclass(frozen=True)
class DataSetPlan:
    """What a data set holds: ``n`` images of each candidate, parameters and conditions drawn from ``seed``.

    nuisances : whether mosaic, turn and widths are drawn for each image; otherwise all are as the study states.
    near : None for parameters from the whole priors; otherwise from so many errors either side of the references, where
        candidates are hardest to tell apart if they were fitted to the same data.
    """

    study: Study
    n: int
    seed: int = 1
    nuisances: bool = True
    near: float | None = None

    def __post_init__(self) -> None:
        if self.n < 1 or self.seed < 0:
            raise InsmlError(f"data set: expected n of at least 1 and a seed of at least 0, found {self.n} and {self.seed}")
        self.drawn_from()  # complains about references that are missing

    def drawn_from(self) -> tuple[Candidate, ...]:
        """The candidates, with the priors that parameters are drawn from."""
        whole = tuple(self.study.candidates.values())
        return whole if self.near is None else tuple(near_references(c, self.near) for c in whole)

    @property
    def images(self) -> int:
        return self.n * len(self.study.candidates)

    @property
    def shards(self) -> int:
        return -(-self.images // SHARD)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return draw_conditions(self.seed, CONDITIONS) if self.nuisances else (Condition(),)

    def header(self) -> dict[str, Any]:
        """What is written beside the shards. Sets of the same header have the same images."""
        near = {} if self.near is None else {"near": self.near}
        return near | {"kind": _KIND, "version": _VERSION, "study": self.study.name, "digest": self.study.simulation_digest,
                "candidates": list(self.study.candidates), "images_per_candidate": self.n, "seed": self.seed,
                "shard": SHARD, "conditions": [asdict(c) for c in self.conditions],
                "layout": self.study.layout.to_dict(),
                "parameter_names": [list(c.names) for c in self.study.candidates.values()]}

    def condition_of(self, label: int, index: int) -> int:
        return int(np.random.default_rng([self.seed, label, index, 1]).integers(len(self.conditions)))


def simulate_set(plan: DataSetPlan, folder: str | Path, *, executor: Executor | None = None,
                 share: tuple[int, int] = (0, 1), threads: int = 0, progress: Progress | None = None) -> int:
    """Simulate those shards of a share that are not there yet; how many were.

    Parameters
    ----------
    share : (i, n): every n-th shard, from the i-th; machines that see one folder may take one each.
    threads : of each shard, 0 for one per core. Bits do not depend on it.

    Raises
    ------
    InsmlError : the folder holds another set. Others as the simulation.
    """
    i, of = share
    if not 0 <= i < of:
        raise InsmlError(f"share: expected i of n with 0 <= i < n, found {i} of {of}")
    out = Path(folder).absolute()
    _claim(plan, out)
    missing = [n for n in range(i, plan.shards, of) if not (out / f"{n:05d}.json").exists()]
    run = executor or LocalExecutor()
    run.map(simulate_shard, [(out, n, threads) for n in missing], "simulating shards", progress)
    return len(missing)


def simulate_shard(folder: Path, number: int, threads: int = 0) -> None:
    """One shard of the set that ``folder`` says, written to it."""
    plan = read_plan(folder)
    classes = list(plan.study.candidates)
    images = range(number * SHARD, min((number + 1) * SHARD, plan.images))
    width = max(len(c.parameters) for c in plan.study.candidates.values())
    clean = np.empty((len(images), *plan.study.layout.stack_shape), np.float16)
    theta, scales, attempts = np.full((len(images), width), np.nan), [1.0] * len(images), [0] * len(images)
    # images of one condition and class one after the other: what is prepared for them is prepared once
    order = sorted((plan.condition_of(j % len(classes), j // len(classes)), j % len(classes), j) for j in images)
    conditions, drawn_from = plan.conditions, plan.drawn_from()
    for (which, label), group in groupby(order, key=lambda item: item[:2]):
        made = simulator(plan.study, classes[label], conditions[which], threads)
        for *_, j in group:
            draw = draw_stable(drawn_from[label], label, made.stack, plan.seed, j // len(classes))
            row, largest = j - images.start, float(draw.stack.max())
            scales[row] = largest / _LARGEST if largest > 0 else 1.0
            clean[row] = draw.stack / scales[row]
            theta[row, : len(draw.values)] = list(draw.values.values())
            attempts[row] = draw.attempts
    with atomic_path(folder / f"{number:05d}.npy") as aside, aside.open("wb") as file:
        np.save(file, clean)
    record = {"sha256": _checksum(folder / f"{number:05d}.npy"), "images": [images.start, images.stop],
              "labels": [j % len(classes) for j in images], "theta": [_finite(row) for row in theta.tolist()],
              "scale": scales, "attempts": attempts, "insml": metadata.version("insml"),
              "condition": [plan.condition_of(j % len(classes), j // len(classes)) for j in images]}
    with atomic_path(folder / f"{number:05d}.json") as aside:
        aside.write_text(json.dumps(record, allow_nan=False))


def read_plan(folder: str | Path) -> DataSetPlan:
    """What the set of a folder is to hold.

    Raises
    ------
    FormatError : no data set, or one of another version; a study that is no longer that of the set.
    """
    path = Path(folder) / _HEADER
    header = _json(path, "the header of a data set")
    if header.get("kind") != _KIND or header.get("version") != _VERSION:
        raise FormatError(path, f"{_KIND}, version {_VERSION}", f"{header.get('kind')}, version {header.get('version')}")
    plan = DataSetPlan(load(path.with_name(_STUDY)), int(header["images_per_candidate"]), int(header["seed"]),
                       len(header["conditions"]) > 1, header.get("near"))
    if plan.header() != header:
        raise FormatError(path, "what study.toml and this version simulate", "another set")
    return plan


@dataclass(frozen=True)
class DataSet:
    """The complete shards of a folder. ``acceptance``: share of parameter sets that were stable, by candidate."""

    plan: DataSetPlan
    folder: Path
    records: tuple[dict[str, Any], ...]

    @classmethod
    def open(cls, folder: str | Path) -> DataSet:
        """A complete set, its headers alone.

        Raises
        ------
        FormatError : as :func:`read_plan`; shards that are missing.
        """
        where = Path(folder)
        plan = read_plan(where)
        missing = [n for n in range(plan.shards) if not (where / f"{n:05d}.json").exists()]
        if missing:
            raise FormatError(where, f"{plan.shards} shards", f"{plan.shards - len(missing)}; {missing[0]:05d} is missing")
        return cls(plan, where, tuple(_json(where / f"{n:05d}.json", "a shard") for n in range(plan.shards)))

    @property
    def acceptance(self) -> dict[str, float]:
        names = list(self.plan.study.candidates)
        labels = np.concatenate([r["labels"] for r in self.records])
        attempts = np.concatenate([r["attempts"] for r in self.records])
        return {name: float((labels == c).sum() / attempts[labels == c].sum()) for c, name in enumerate(names)}

    def read(self, *, verify: bool = True) -> TrainingSet:
        """All images in memory.

        Raises
        ------
        FormatError : a shard whose checksum is another.
        """
        plan, stacks = self.plan, []
        for n, record in enumerate(self.records):
            path = self.folder / f"{n:05d}.npy"
            found = _checksum(path) if verify else record["sha256"]
            if found != record["sha256"]:
                raise FormatError(path, f"checksum {record['sha256'][:12]}", found[:12])
            try:
                stacks.append(np.load(path, allow_pickle=False))
            except (OSError, ValueError) as error:
                raise FormatError(path, "an array", str(error)) from None
        theta = [[np.nan if x is None else x for x in row] for r in self.records for row in r["theta"]]
        return TrainingSet(
            clean=np.concatenate(stacks), labels=np.concatenate([r["labels"] for r in self.records]).astype(np.int64),
            theta=np.array(theta, float), candidates=tuple(plan.study.candidates), layout=plan.study.layout,
            parameter_names=tuple(tuple(c.names) for c in plan.study.candidates.values()),
            study_digest=plan.study.simulation_digest, seed=plan.seed)


def _claim(plan: DataSetPlan, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _HEADER
    if path.exists():
        if _json(path, "the header of a data set") != plan.header():
            raise InsmlError(f"{folder}: expected an empty folder or this data set, found another")
        return
    with atomic_path(folder / _STUDY) as aside:
        aside.write_bytes(plan.study.path.read_bytes())
    with atomic_path(path) as aside:
        aside.write_text(json.dumps(plan.header(), indent=1))


def _json(path: Path, what: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        raise FormatError(path, what, "no file") from None
    except (OSError, ValueError) as error:
        raise FormatError(path, what, str(error)) from None
    if not isinstance(found, dict):
        raise FormatError(path, what, type(found).__name__)
    return found


def _checksum(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FormatError(path, "a readable shard", error.strerror or str(error)) from None


def _finite(row: Sequence[float]) -> list[float | None]:
    """JSON has no NaN."""
    return [x if np.isfinite(x) else None for x in row]


__all__ = ["SHARD", "DataSet", "DataSetPlan", "read_plan", "simulate_set", "simulate_shard"]
