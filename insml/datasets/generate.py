"""A study's clean training set, simulated in parts so that an interrupted run goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from insml.datasets.prior import draw_stable
from insml.datasets.store import TrainingSet
from insml.errors import FormatError
from insml.simulation import simulate_stack
from insml.study import Study

Progress = Callable[[int, int], None]

PART = 64  # images in one file


def generate(
    study: Study,
    *,
    images: int | None = None,
    parts: Path | None = None,
    threads: int = 0,
    progress: Progress | None = None,
) -> TrainingSet:
    """Noiseless images of every candidate, parameters uniform over the stable part of the priors.

    Parameters
    ----------
    images : in all, candidates taking turns; None for the study's number. The first n images are the same whatever n.
    parts : folder in which finished parts are kept; a part of another study or seed is made anew.
    progress : called with (done, images) after each image.
    """
    total = study.training.images if images is None else images
    pieces = []
    for start in range(0, total, PART):
        stop = min(start + PART, total)
        file = None if parts is None else parts / f"{study.simulation_digest[:12]}-{start:06d}-{stop:06d}.npz"
        piece = _kept(file, study)
        if piece is None:
            piece = _simulate(study, range(start, stop), total, threads, progress)
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                piece.save(file)
        elif progress:
            progress(stop, total)
        pieces.append(piece)
    return _set(study, study.digest, np.concatenate([p.clean for p in pieces]),
                np.concatenate([p.labels for p in pieces]), np.concatenate([p.theta for p in pieces]))


def _kept(file: Path | None, study: Study) -> TrainingSet | None:
    if file is None or not file.exists():
        return None
    try:
        piece = TrainingSet.load(file)
    except FormatError:
        return None
    same = piece.study_digest == study.simulation_digest and piece.seed == study.training.seed
    return piece if same else None


def _simulate(study: Study, indices: range, total: int, threads: int, progress: Progress | None) -> TrainingSet:
    names = list(study.candidates)
    width = max(len(c.parameters) for c in study.candidates.values())
    clean = np.empty((len(indices), *study.layout.stack_shape), np.float32)
    labels = np.array([i % len(names) for i in indices], np.int64)
    theta = np.full((len(indices), width), np.nan)
    for row, index in enumerate(indices):
        label = int(labels[row])
        candidate = study.candidates[names[label]]
        simulate = partial(simulate_stack, study, candidate.name, threads=threads)
        draw = draw_stable(candidate, label, simulate, study.training.seed, index // len(names))
        clean[row] = draw.stack
        theta[row, : len(draw.values)] = list(draw.values.values())
        if progress:
            progress(index + 1, total)
    return _set(study, study.simulation_digest, clean, labels, theta)


def _set(study: Study, digest: str, clean: NDArray[np.float32], labels: NDArray[np.int64],
         theta: NDArray[np.float64]) -> TrainingSet:
    return TrainingSet(
        clean=clean, labels=labels, theta=theta,
        parameter_names=tuple(tuple(c.names) for c in study.candidates.values()),
        candidates=tuple(study.candidates), layout=study.layout, study_digest=digest, seed=study.training.seed,
    )
