"""Several networks that answer together (Lakshminarayanan et al. 2017), and files of either kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from insml.answer import Classification
from insml.errors import FormatError, InsmlError
from insml.learn import classifier
from insml.learn.answers import Answers
from insml.learn.classifier import Classifier, best_two, slice_means
from insml.learn.form import Form
from insml.learn.record import Record
from insml.learn.tensorfile import kind_of, read_tensors, write_tensors
from insml.mosaic import Mosaic, MosaicLayout

KIND = "insml ensemble"
_VERSION = 1


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Networks of one study that were trained apart, usually with different seeds. Asked as a ``Classifier`` is.

    Its answers are ``Answers.together``: mean probabilities; what the members disagree about is the epistemic part.

    Raises
    ------
    InsmlError : fewer than two members, or members of different studies, candidates, slices, bins or thresholds.
    """

    members: tuple[Classifier, ...]

    def __post_init__(self) -> None:
        if len(self.members) < 2:
            raise InsmlError(f"ensemble: expected at least two networks, found {len(self.members)}")
        first = self.members[0]
        for number, member in enumerate(self.members[1:], 2):
            alike = {
                "study": member.study_digest == first.study_digest,
                "candidates": member.candidates == first.candidates,
                "slices and bins": member.layout.same_bins(first.layout),
                "mirrors": member.form.mirrors == first.form.mirrors,
                "threshold": member.ood_threshold == first.ood_threshold,
            }
            if not all(alike.values()):
                different = ", ".join(name for name, same in alike.items() if not same)
                raise InsmlError(f"ensemble: network {number}: expected what the first has, found another {different}")

    @property
    def form(self) -> Form:
        """In which the members see stacks."""
        return self.members[0].form

    @property
    def layout(self) -> MosaicLayout:
        """Slices and bins of the mosaics it answers for."""
        return self.members[0].layout

    @property
    def candidates(self) -> tuple[str, ...]:
        """Names, in the order of the classes."""
        return self.members[0].candidates

    @property
    def study_digest(self) -> str:
        return self.members[0].study_digest

    @property
    def ood_threshold(self) -> float:
        """p-values below it are out of distribution."""
        return self.members[0].ood_threshold

    @property
    def n_training(self) -> int | None:
        """Images each member was trained on; None where one does not say or they differ."""
        numbers = {member.n_training for member in self.members}
        return numbers.pop() if len(numbers) == 1 else None

    @property
    def description(self) -> str:
        """For people."""
        return f"ensemble of {len(self.members)} networks, the first: {self.members[0].description}"

    def records(self, stacks: NDArray[np.float32], odd: NDArray[np.float64] | None = None) -> tuple[Record, ...]:
        """What each member says of stacks in their form; arguments as those of :meth:`Classifier.record`."""
        return tuple(member.record(stacks, odd) for member in self.members)

    def answers(self, records: Sequence[Record]) -> Answers:
        """What they say together of the images of :meth:`records`."""
        return Answers.together([m.answers(r) for m, r in zip(self.members, records, strict=True)])

    def predict(self, mosaic: Mosaic) -> Classification:
        """Answer for one mosaic, as :meth:`Classifier.predict`.

        ``kernels`` and ``ood_parts`` are means; ``ood_score`` is the mean of the members' in standard deviations of their
        held-out simulations; ``saliency`` is the mean of the members' maps, each 1 on average over the pixels with a
        detector.

        Raises
        ------
        GeometryError : other slices or bins.
        """
        first = self.members[0]
        records = self.records(*first.seen(mosaic))
        answers = self.answers(records)
        kernels = np.mean([np.exp(r.scores[0]) for r in records], axis=0)
        each = [m.strangeness.each(r) for m, r in zip(self.members, records, strict=True)]
        mask, classes = mosaic.stack_mask, best_two(answers.probability[0])
        saliency = np.mean([_of_mean_one(m.saliency(mosaic, classes), mask) for m in self.members], axis=0)
        return Classification(
            probabilities=dict(zip(self.candidates, answers.probability[0].tolist(), strict=True)),
            kernels=dict(zip(self.candidates, kernels.tolist(), strict=True)),
            epistemic=float(answers.epistemic[0]), ood_score=float(answers.strangeness[0]),
            ood_p_value=float(answers.p_value[0]), ood_threshold=self.ood_threshold,
            saliency=mosaic.layout.assemble(saliency), slice_saliency=slice_means(saliency, mask),
            network=self.description,
            ood_parts={name: float(np.mean([e[name][0] for e in each])) for name in each[0]},
            asymmetry=first.asymmetry(records[0]),
        )

    def slice_occlusion(self, mosaic: Mosaic, classes: tuple[int, int] | None = None) -> NDArray[np.float64]:
        """(n_slices,) what the calibrated log odds of the first class against the second (None: of the winner against the
        runner-up) lose without each slice, the mean over the members."""
        if classes is None:
            records = self.records(self.members[0].standardised(mosaic)[None])
            classes = best_two(self.answers(records).probability[0])
        return np.asarray(np.mean([m.slice_occlusion(mosaic, classes) / m.temperature for m in self.members], axis=0))

    def save(self, path: str | Path) -> None:
        """Write one safetensors file with all members, whole or not at all."""
        headers, tensors = [], {}
        for number, member in enumerate(self.members):
            header, own = member.contents()
            headers.append(header)
            tensors.update({f"{number}.{name}": array for name, array in own.items()})
        write_tensors(Path(path), KIND, {"version": _VERSION, "members": headers}, tensors)

    @classmethod
    def load(cls, path: str | Path) -> Ensemble:
        """Read what :meth:`save` wrote; executes nothing of the file.

        Raises
        ------
        FormatError
            Not an ensemble, damaged, or of another version.
        """
        path = Path(path)
        header, tensors = read_tensors(path, KIND)
        if header.get("version") != _VERSION:
            raise FormatError(path, f"ensemble version {_VERSION}", f"version {header.get('version')}")
        members = []
        for number, own in enumerate(_member_headers(path, header)):
            start = f"{number}."
            members.append(Classifier.of_contents(path, own, {
                name.removeprefix(start): array for name, array in tensors.items() if name.startswith(start)}))
        try:
            return cls(tuple(members))
        except InsmlError as error:
            raise FormatError(path, "networks that belong together", str(error)) from None


Network: TypeAlias = Classifier | Ensemble


def load_network(path: str | Path) -> Network:
    """The classifier or ensemble of a file; executes nothing of it.

    Raises
    ------
    FormatError
        Neither, damaged, or of another version.
    """
    kind = kind_of(Path(path), "a network of insml")
    if kind == KIND:
        return Ensemble.load(path)
    if kind == classifier.KIND:
        return Classifier.load(path)
    raise FormatError(path, f"{classifier.KIND} or {KIND}", kind or "a safetensors file of another program")


def _member_headers(path: Path, header: dict[str, Any]) -> list[dict[str, Any]]:
    members = header.get("members")
    if not (isinstance(members, list) and all(isinstance(m, dict) for m in members)):
        raise FormatError(path, "headers of all members", type(members).__name__, field="members")
    return members


def _of_mean_one(stack: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The stack (n_slices, n0, n1) >= 0 over its mean where there is a detector; zeros stay zeros."""
    total = float(stack.sum())
    return stack * (np.count_nonzero(~mask) / total) if total > 0 else stack
