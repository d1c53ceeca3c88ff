"""A trained network with all that turns its scores into an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from insml.answer import Classification
from insml.datasets.corrupt import standardise
from insml.errors import FormatError, GeometryError
from insml.explain.cam import slice_maps
from insml.explain.occlusion import occlude_slices
from insml.learn.calibration import p_value, probabilities
from insml.learn.networks import SliceStackNet
from insml.learn.tensorfile import read_tensors, write_tensors
from insml.learn.uncertainty.density import FeatureDensity
from insml.learn.uncertainty.duq import DuqHead
from insml.mosaic import Mosaic, MosaicLayout

KIND = "insml classifier"
_VERSION = 1
_BATCH = 64
_MIDDLE = 1  # block whose pooled output the density sees


@dataclass(frozen=True, eq=False)
class Classifier:
    """Tells the candidates of one study apart.

    Probabilities are a softmax of the log kernel values at a temperature fitted on held-out simulations.

    The out-of-distribution score is the class-wise Gaussian density (``FeatureDensity``) of the pooled output of the
    network's middle block; its p-value is a rank among held-out simulations. Last-layer features and kernel values
    keep only what tells the candidates apart, so they can miss images that are strange in all other respects; the
    middle block noticed every kind of strangeness that was tried. Kernel values stand beside it as ``epistemic``.

    Attributes
    ----------
    network, head : in evaluation mode.
    density : of the middle features of training images.
    temperature : of the log kernel values.
    held_out_scores : (n,) out-of-distribution scores of held-out simulations.
    candidates : names, in the order of the classes.
    layout : slices and bins the network was trained on.
    study_digest : of the study.
    description : which network, how trained, how good on held-out simulations.
    ood_threshold : p-values below it are out of distribution.
    history : per epoch: loss and validation accuracy.
    """

    network: SliceStackNet
    head: DuqHead
    density: FeatureDensity
    temperature: float
    held_out_scores: NDArray[np.float64]
    candidates: tuple[str, ...]
    layout: MosaicLayout
    study_digest: str
    description: str
    ood_threshold: float = 0.01
    history: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.network.eval()
        self.head.eval()

    def log_kernels(self, x: Tensor) -> Tensor:
        """(batch, classes) log kernel values of standardised stacks (batch, n_slices, n0, n1)."""
        return torch.as_tensor(self.head(self.network(x)))

    def scores(self, stacks: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Log kernel values (n, classes) and out-of-distribution scores (n,) of standardised stacks."""
        log_kernels, middle = forward(self.network, self.head, stacks)
        return log_kernels, self.density.score(middle)

    def margin(self, x: Tensor, winner: int, runner_up: int) -> Tensor:
        """(batch,) log K_winner - log K_runner-up: the pre-activation score that is explained."""
        log_kernel = self.log_kernels(x)
        return log_kernel[:, winner] - log_kernel[:, runner_up]

    def predict(self, mosaic: Mosaic) -> Classification:
        """Answer for one mosaic. It may be oriented in any way; slices and bins must be those of the training.

        Raises
        ------
        GeometryError
            Other slices or bins.
        """
        x, mask = self._standardised(mosaic)
        log_kernels, ood = self.scores(x[None])
        probability = probabilities(log_kernels, self.temperature)[0]
        kernels = np.exp(log_kernels[0])
        winner, runner_up = self._ranking(log_kernels[0])
        saliency = slice_maps(lambda t: self.margin(t, winner, runner_up), self.network.slices,
                              torch.from_numpy(x[None]))
        # Where there is no detector nothing can speak for a model.
        saliency[mask] = 0
        pixels = np.count_nonzero(~mask, axis=(1, 2))
        return Classification(
            probabilities=dict(zip(self.candidates, probability.tolist(), strict=True)),
            kernels=dict(zip(self.candidates, kernels.tolist(), strict=True)),
            epistemic=float(1 - kernels.max()),
            ood_score=float(ood[0]), ood_p_value=p_value(float(ood[0]), self.held_out_scores),
            ood_threshold=self.ood_threshold,
            saliency=mosaic.layout.assemble(saliency), slice_saliency=saliency.sum((1, 2)) / np.maximum(pixels, 1),
            network=self.description,
        )

    def slice_occlusion(self, mosaic: Mosaic) -> NDArray[np.float64]:
        """(n_slices,) what the margin loses without each slice, signed; the check of ``slice_saliency``."""
        x, _ = self._standardised(mosaic)
        tensor = torch.from_numpy(x[None])
        winner, runner_up = self._ranking(forward(self.network, self.head, x[None])[0][0])
        return occlude_slices(lambda t: self.margin(t, winner, runner_up), tensor)

    def _standardised(self, mosaic: Mosaic) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        if not self.layout.same_bins(mosaic.layout):
            raise GeometryError(
                f"{mosaic.source or 'mosaic'}: layout: expected the slices and bins the network was trained on "
                f"({_describe(self.layout)}), found {_describe(mosaic.layout)}")
        mask = mosaic.stack_mask
        return standardise(mosaic.stack, mask), mask

    @staticmethod
    def _ranking(log_kernels: NDArray[np.float64]) -> tuple[int, int]:
        order = np.argsort(-log_kernels, kind="stable")
        return int(order[0]), int(order[1])

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, whole or not at all."""
        header = {
            "version": _VERSION, "candidates": self.candidates, "layout": self.layout.to_dict(),
            "study_digest": self.study_digest, "description": self.description, "temperature": self.temperature,
            "ood_threshold": self.ood_threshold, "features": self.network.n_features,
            "embedding": self.head.weight.shape[0], "history": self.history,
        }
        tensors = {"density.means": self.density.means, "density.factors": self.density.factors,
                   "held_out_scores": self.held_out_scores}
        write_tensors(Path(path), KIND, header, tensors | state_arrays(self.network, self.head))

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
            layout = MosaicLayout.from_dict(header["layout"])
            candidates = tuple(header["candidates"])
            network = SliceStackNet(layout.stack_shape[0], len(candidates), header["features"])
            head = DuqHead(header["features"], len(candidates), header["embedding"])
            load_state_arrays(network, head, tensors)
            return cls(
                network, head, FeatureDensity(tensors["density.means"], tensors["density.factors"]),
                header["temperature"], tensors["held_out_scores"], candidates, layout, header["study_digest"],
                header["description"], header["ood_threshold"], header["history"],
            )
        except (KeyError, TypeError, ValueError, RuntimeError) as e:
            raise FormatError(path, "a consistent classifier", str(e).splitlines()[0]) from e


@torch.no_grad()
def forward(network: SliceStackNet, head: DuqHead,
            stacks: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log kernel values (n, classes) and middle features (n, d) of standardised stacks (n, n_slices, n0, n1)."""
    log_kernels, middle = [], []
    for first in range(0, len(stacks), _BATCH):
        pooled = network.pooled(torch.from_numpy(stacks[first:first + _BATCH]))
        middle.append(pooled[_MIDDLE])
        log_kernels.append(head(network.features(pooled[-1])))
    return torch.cat(log_kernels).double().numpy(), torch.cat(middle).double().numpy()


def state_arrays(network: SliceStackNet, head: DuqHead) -> dict[str, NDArray[np.float32]]:
    """All weights and buffers by name."""
    return {f"{part}.{name}": tensor.detach().numpy()
            for part, module in (("network", network), ("head", head)) for name, tensor in module.state_dict().items()}


def load_state_arrays(network: SliceStackNet, head: DuqHead, arrays: dict[str, NDArray[np.float32]]) -> None:
    """Inverse of :func:`state_arrays`; names and shapes must match (RuntimeError otherwise)."""
    for part, module in (("network.", network), ("head.", head)):
        module.load_state_dict({name.removeprefix(part): torch.from_numpy(a.copy())
                                for name, a in arrays.items() if name.startswith(part)})


def _describe(layout: MosaicLayout) -> str:
    first, second = layout.axes
    lowest, highest = (f(e for s in layout.slices for e in s.energy) for f in (min, max))
    ranges = ", ".join(f"{a.label} {a.edges[0]:g} to {a.edges[-1]:g} in {a.n}" for a in (first, second))
    return f"{len(layout.slices)} slices from {lowest:g} to {highest:g} meV, {ranges}"
