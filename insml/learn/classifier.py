"""A trained network with all that turns its scores into an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from insml.answer import Classification
from insml.errors import FormatError, GeometryError
from insml.explain.cam import slice_maps
from insml.explain.occlusion import occlude_slices
from insml.learn import uncertainty  # noqa: F401  (registers the methods)
from insml.learn.calibration import p_value, probabilities
from insml.learn.form import Form
from insml.learn.method import METHODS, Method
from insml.learn.networks import network
from insml.learn.record import Record
from insml.learn.tensorfile import load_state_arrays, read_tensors, state_arrays, write_tensors
from insml.learn.uncertainty.density import FeatureDensity
from insml.mosaic import Mosaic, MosaicLayout

KIND = "insml classifier"
_VERSION = 2


@dataclass(frozen=True, eq=False)
class Classifier:
    """Tells the candidates of one study apart.

    Probabilities are a softmax of the method's log scores at a temperature fitted on held-out simulations.

    The out-of-distribution score is the class-wise Gaussian density (``FeatureDensity``) of the pooled output of the
    network's middle layer (``Record.middle``); its p-value is a rank among held-out simulations. What the method itself
    says of its ignorance stands beside it as ``epistemic``.

    Attributes
    ----------
    method : in evaluation mode. architecture : name of its network. form : in which it sees stacks.
    density : of the middle features of training images.
    temperature : of the log scores.
    held_out_scores : (n,) out-of-distribution scores of held-out simulations.
    candidates : names, in the order of the classes.
    study_digest : of the study.
    description : which network, how trained, how good on held-out simulations.
    ood_threshold : p-values below it are out of distribution.
    history : per epoch: loss and validation accuracy.
    """

    method: Method
    architecture: str
    form: Form
    density: FeatureDensity
    temperature: float
    held_out_scores: NDArray[np.float64]
    candidates: tuple[str, ...]
    study_digest: str
    description: str
    ood_threshold: float = 0.01
    history: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.method.eval()

    @property
    def layout(self) -> MosaicLayout:
        """Slices and bins of the mosaics it answers for."""
        return self.form.measured

    def record(self, stacks: NDArray[np.float32]) -> Record:
        """What the method says of stacks in its form."""
        return Record.of(self.method, stacks)

    def ood_scores(self, record: Record) -> NDArray[np.float64]:
        """(n,) how strange the images of a record are."""
        return self.density.score(record.middle)

    def predict(self, mosaic: Mosaic) -> Classification:
        """Answer for one mosaic. It may be oriented in any way; slices and bins must be those of the training.

        Raises
        ------
        GeometryError
            Other slices or bins.
        """
        x, mask = self._standardised(mosaic)
        record = self.record(x[None])
        probability = probabilities(record.scores, self.temperature)[0]
        # of one image: kernels for DUQ, relative likelihoods of the classes for others
        kernels = np.exp(record.scores[0])
        winner, runner_up = self._ranking(record.scores[0])
        saliency = self.form.unfold(slice_maps(lambda t: self.method.margin(t, winner, runner_up), self._slice_layer(),
                                               torch.from_numpy(x[None]))).copy()
        # Where there is no detector nothing can speak for a model.
        saliency[mask] = 0
        pixels = np.count_nonzero(~mask, axis=(1, 2))
        ood = float(self.ood_scores(record)[0])
        return Classification(
            probabilities=dict(zip(self.candidates, probability.tolist(), strict=True)),
            kernels=dict(zip(self.candidates, kernels.tolist(), strict=True)),
            epistemic=float(record.epistemic[0]),
            ood_score=ood, ood_p_value=p_value(ood, self.held_out_scores), ood_threshold=self.ood_threshold,
            saliency=mosaic.layout.assemble(saliency), slice_saliency=saliency.sum((1, 2)) / np.maximum(pixels, 1),
            network=self.description,
        )

    def slice_occlusion(self, mosaic: Mosaic) -> NDArray[np.float64]:
        """(n_slices,) what the margin loses without each slice, signed; the check of ``slice_saliency``."""
        x, _ = self._standardised(mosaic)
        winner, runner_up = self._ranking(self.record(x[None]).scores[0])
        return occlude_slices(lambda t: self.method.margin(t, winner, runner_up), torch.from_numpy(x[None]))

    def _slice_layer(self) -> torch.nn.Module:
        return self.method.backbone.maps()["slices"].module

    def _standardised(self, mosaic: Mosaic) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        if not self.layout.same_bins(mosaic.layout):
            raise GeometryError(
                f"{mosaic.source or 'mosaic'}: layout: expected the slices and bins the network was trained on "
                f"({_describe(self.layout)}), found {_describe(mosaic.layout)}")
        mask = mosaic.stack_mask
        return self.form(mosaic.stack, mask), mask

    @staticmethod
    def _ranking(scores: NDArray[np.float64]) -> tuple[int, int]:
        order = np.argsort(-scores, kind="stable")
        return int(order[0]), int(order[1])

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, whole or not at all."""
        header = {
            "version": _VERSION, "candidates": self.candidates, "layout": self.layout.to_dict(),
            "mirrors": self.form.mirrors, "study_digest": self.study_digest, "description": self.description,
            "temperature": self.temperature,
            "ood_threshold": self.ood_threshold, "network": self.architecture, "method": self.method.kind,
            "options": self.method.options, "history": self.history,
        }
        tensors = {"density.means": self.density.means, "density.factors": self.density.factors,
                   "held_out_scores": self.held_out_scores}
        write_tensors(Path(path), KIND, header, tensors | state_arrays(method=self.method))

    @classmethod
    def load(cls, path: str | Path) -> Classifier:
        """Read what :meth:`save` wrote; executes nothing of the file.

        Raises
        ------
        FormatError
            Not a classifier, damaged, or of another version.
        """
        path = Path(path)
        header, tensors = read_tensors(path, KIND)
        if header.get("version") != _VERSION:
            raise FormatError(path, f"classifier version {_VERSION}", f"version {header.get('version')}")
        try:
            form = Form(MosaicLayout.from_dict(header["layout"]), tuple(header["mirrors"]))
            candidates = tuple(header["candidates"])
            with torch.random.fork_rng(devices=[]):
                backbone = network(header["network"], form.layout, len(candidates))
                method = METHODS.make(header["method"], backbone, len(candidates), **header["options"])
            load_state_arrays(tensors, method=method)
            return cls(
                method, header["network"], form, FeatureDensity(tensors["density.means"], tensors["density.factors"]),
                header["temperature"], tensors["held_out_scores"], candidates, header["study_digest"],
                header["description"], header["ood_threshold"], header["history"],
            )
        except (KeyError, TypeError, ValueError, RuntimeError) as e:
            raise FormatError(path, "a consistent classifier", str(e).splitlines()[0]) from e


def _describe(layout: MosaicLayout) -> str:
    first, second = layout.axes
    lowest, highest = (f(e for s in layout.slices for e in s.energy) for f in (min, max))
    ranges = ", ".join(f"{a.label} {a.edges[0]:g} to {a.edges[-1]:g} in {a.n}" for a in (first, second))
    return f"{len(layout.slices)} slices from {lowest:g} to {highest:g} meV, {ranges}"
