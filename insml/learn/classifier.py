"""A trained network with all that turns its scores into an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from insml.answer import Classification
from insml.errors import FormatError, GeometryError
from insml.explain.attributions import attribute
from insml.explain.occlusion import occlude_slices
from insml.explain.subject import Subject
from insml.learn import uncertainty  # noqa: F401  (registers the methods)
from insml.learn.answers import Answers
from insml.learn.calibration import p_value, probabilities
from insml.learn.evaluation_mode import evaluation_mode
from insml.learn.form import Form
from insml.learn.method import METHODS, Method
from insml.learn.networks import network
from insml.learn.oddness import odd_names
from insml.learn.record import Record
from insml.learn.strangeness import Strangeness
from insml.learn.tensorfile import load_state_arrays, read_tensors, state_arrays, write_tensors
from insml.learn.whole import seen_whole
from insml.mosaic import Mosaic, MosaicLayout

KIND = "insml classifier"
#: Share of images of the kind it was trained on that a network calls out of distribution.
FALSE_ALARMS = 0.05
_VERSION = 5


@dataclass(frozen=True, eq=False)
class Classifier:
    """Tells the candidates of one study apart.

    Probabilities are a softmax of the method's log scores at a temperature fitted on held-out simulations.

    The out-of-distribution score is ``Strangeness``, of Gaussian densities; its p-value is a rank among held-out
    simulations. What the method itself says of its ignorance stands beside it as ``epistemic``.

    Attributes
    ----------
    method : in evaluation mode. architecture : name of its network. form : in which it sees stacks.
    strangeness : of images against those of the training.
    temperature : of the log scores.
    held_out_scores : (n,) out-of-distribution scores of held-out simulations.
    candidates : names, in the order of the classes.
    study_digest : of the study.
    description : which network, how trained, how good on held-out simulations.
    ood_threshold : p-values below it are out of distribution.
    history : per epoch: loss and validation accuracy.
    n_training : images the optimiser saw; None where nobody says.
    """

    method: Method
    architecture: str
    form: Form
    strangeness: Strangeness
    temperature: float
    held_out_scores: NDArray[np.float64]
    candidates: tuple[str, ...]
    study_digest: str
    description: str
    ood_threshold: float = FALSE_ALARMS
    history: list[dict[str, float]] = field(default_factory=list)
    n_training: int | None = None

    def __post_init__(self) -> None:
        self.method.eval()

    @property
    def layout(self) -> MosaicLayout:
        """Slices and bins of the mosaics it answers for."""
        return self.form.measured

    def record(self, stacks: NDArray[np.float32], odd: NDArray[np.float64] | None = None) -> Record:
        """What the method says of stacks in its form. ``odd``: what it folds away (:meth:`seen`); without, nothing is
        strange about that."""
        return Record.of(self.method, stacks, parts=self.form.parts, odd=odd)

    def ood_scores(self, record: Record) -> NDArray[np.float64]:
        """(n,) how strange the images of a record are."""
        return self.strangeness(record)

    def answers(self, record: Record) -> Answers:
        """What it says of the images of a record."""
        held_out, scores = self.held_out_scores, self.ood_scores(record)
        return Answers(probabilities(record.scores, self.temperature),
                       (scores - held_out.mean()) / max(float(held_out.std()), 1e-12),
                       p_value(scores, held_out), record.epistemic)

    def predict(self, mosaic: Mosaic) -> Classification:
        """Answer for one mosaic. It may be oriented in any way; slices and bins must be those of the training.

        Raises
        ------
        GeometryError
            Other slices or bins.
        """
        record = self.record(*self.seen(mosaic))
        answers = self.answers(record)
        # of one image: kernels for DUQ, relative likelihoods of the classes for others
        kernels = np.exp(record.scores[0])
        saliency = self.saliency(mosaic, best_two(record.scores[0]))
        return Classification(
            probabilities=dict(zip(self.candidates, answers.probability[0].tolist(), strict=True)),
            kernels=dict(zip(self.candidates, kernels.tolist(), strict=True)),
            epistemic=float(answers.epistemic[0]), ood_score=float(self.ood_scores(record)[0]),
            ood_p_value=float(answers.p_value[0]), ood_threshold=self.ood_threshold,
            saliency=mosaic.layout.assemble(saliency), slice_saliency=slice_means(saliency, mosaic.stack_mask),
            network=self.description,
            ood_parts={name: float(score[0]) for name, score in self.strangeness.each(record).items()},
            asymmetry=self.asymmetry(record),
        )

    def saliency(self, mosaic: Mosaic, classes: tuple[int, int]) -> NDArray[np.float64]:
        """(n_slices, n0, n1) >= 0, how much each pixel speaks for the first class against the second; 0 without detector.

        LayerCAM: of the maps here it is the one that forgets when the weights are forgotten.
        """
        mask = mosaic.stack_mask
        maps, _ = attribute(Subject.of(self, mosaic.stack, mask, classes), "layercam")
        return np.where(mask, 0, self.form.unfold(maps))

    def slice_occlusion(self, mosaic: Mosaic, classes: tuple[int, int] | None = None) -> NDArray[np.float64]:
        """(n_slices,) what the margin of the first class over the second (None: of the winner over the runner-up) loses
        without each slice, signed; the check of ``slice_saliency``."""
        x = self.standardised(mosaic)[None]
        first, second = classes or best_two(self.record(x).scores[0])
        with evaluation_mode(self.method):
            return occlude_slices(lambda t: self.method.margin(t, first, second), torch.from_numpy(x))

    def check(self, mosaic: Mosaic) -> None:
        """Raises GeometryError for a mosaic of other slices or bins than those of the training."""
        if not self.layout.same_bins(mosaic.layout):
            raise GeometryError(
                f"{mosaic.source or 'mosaic'}: layout: expected the slices and bins the network was trained on "
                f"({_describe(self.layout)}), found {_describe(mosaic.layout)}")

    def standardised(self, mosaic: Mosaic) -> NDArray[np.float32]:
        """The stack of a mosaic in the form of the network; GeometryError as :meth:`check`."""
        self.check(mosaic)
        return self.form(mosaic.stack, mosaic.stack_mask)

    def seen(self, mosaic: Mosaic) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """What :meth:`record` takes, of one mosaic: (1, n_slices, m0, m1) its stack in the form of the network, and (1, k)
        what is folded away; GeometryError as :meth:`check`."""
        self.check(mosaic)
        stack, odd = seen_whole(self.form, mosaic.stack, mosaic.stack_mask)
        return stack[None], odd[None]

    def asymmetry(self, record: Record) -> dict[str, float]:
        """What the first image of a record has that is odd, by :func:`insml.learn.oddness.odd_names`."""
        return dict(zip(odd_names(self.form), record.odd[0].tolist(), strict=True))

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, whole or not at all."""
        write_tensors(Path(path), KIND, *self.contents())

    def contents(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Header and tensors of a file."""
        parts, tensors = self.strangeness.contents()
        header = {
            "version": _VERSION, "candidates": self.candidates, "layout": self.layout.to_dict(),
            "mirrors": self.form.mirrors, "study_digest": self.study_digest, "description": self.description,
            "temperature": self.temperature,
            "ood_threshold": self.ood_threshold, "network": self.architecture, "method": self.method.kind,
            "options": self.method.options, "history": self.history,
            "n_training": self.n_training, "strangeness": parts,
        }
        return header, tensors | {"held_out_scores": self.held_out_scores} | state_arrays(method=self.method)

    @classmethod
    def load(cls, path: str | Path) -> Classifier:
        """Read what :meth:`save` wrote; executes nothing of the file.

        Raises
        ------
        FormatError
            Not a classifier, damaged, or of another version.
        """
        return cls.of_contents(Path(path), *read_tensors(Path(path), KIND))

    @classmethod
    def of_contents(cls, path: Path, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Classifier:
        """Inverse of :meth:`contents`. FormatError, which names ``path``, as :meth:`load`."""
        version = header.get("version")
        if version != _VERSION:
            raise FormatError(path, f"classifier version {_VERSION} (train it anew)", f"version {version}")
        try:
            form = Form(MosaicLayout.from_dict(header["layout"]), tuple(header["mirrors"]))
            candidates = tuple(header["candidates"])
            with torch.random.fork_rng(devices=[]):
                backbone = network(header["network"], form.layout, len(candidates))
                method = METHODS.make(header["method"], backbone, len(candidates), **header["options"])
            load_state_arrays(tensors, method=method)
            return cls(
                method, header["network"], form, Strangeness.of_contents(header["strangeness"], tensors),
                header["temperature"], tensors["held_out_scores"], candidates, header["study_digest"],
                header["description"], header["ood_threshold"], header["history"],
                header["n_training"],
            )
        except (KeyError, TypeError, ValueError, RuntimeError) as e:
            raise FormatError(path, "a consistent classifier", str(e).splitlines()[0]) from e


def best_two(scores: NDArray[np.float64]) -> tuple[int, int]:
    """Numbers of the classes with the largest score and the next, of (classes,)."""
    order = np.argsort(-scores, kind="stable")
    return int(order[0]), int(order[1])


def slice_means(stack: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n_slices,) mean of (n_slices, n0, n1) over the pixels that have a detector, 0 where none has."""
    return np.asarray(np.where(mask, 0, stack).sum((1, 2)) / np.maximum(np.count_nonzero(~mask, axis=(1, 2)), 1))


def _describe(layout: MosaicLayout) -> str:
    first, second = layout.axes
    lowest, highest = (f(e for s in layout.slices for e in s.energy) for f in (min, max))
    ranges = ", ".join(f"{a.label} {a.edges[0]:g} to {a.edges[-1]:g} in {a.n}" for a in (first, second))
    return f"{len(layout.slices)} slices from {lowest:g} to {highest:g} meV, {ranges}"
