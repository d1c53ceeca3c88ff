"""What a measured mosaic would show without noise and residual background, as simulations of the study suggest
it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from insml.datasets.corrupt import Corruption
from insml.datasets.store import TrainingSet
from insml.errors import FormatError, GeometryError
from insml.learn.form import Form
from insml.learn.generative.fit import fit
from insml.learn.generative.settings import GenerativeSettings
from insml.learn.generative.unet import SliceUNet
from insml.learn.generative.units import SliceUnits
from insml.learn.tensorfile import load_state_arrays, read_tensors, state_arrays, write_tensors
from insml.learn.trainer import Progress
from insml.mosaic import Mosaic, MosaicLayout

Array = NDArray[np.float64]
Float32 = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

KIND = "insml denoiser"
_VERSION = 1
_BATCH = 32


@dataclass(frozen=True, eq=False)
class Denoiser:
    """Takes noise and residual background out of mosaics of one study.

    What it gives is a mean over simulated images that could look like the measured one. Its deviations are those
    of such images, so they hold for measurements that the simulations cover, and for no others.

    Attributes
    ----------
    network : in evaluation mode. form : in which it sees stacks.
    spread : factor on the network's deviations that makes the mean squared error of held-out images what they say.
    study_digest : of the study it was trained for. description : how trained, how good on held-out simulations.
    history : per epoch: loss and validation loss.
    """

    network: SliceUNet
    form: Form
    spread: float
    study_digest: str
    description: str
    history: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.network.eval()

    @property
    def layout(self) -> MosaicLayout:
        """Slices and bins of the mosaics it cleans."""
        return self.form.measured

    def clean(self, mosaic: Mosaic) -> Mosaic:
        """The mosaic cleaned, in its own units and orientation, ``variance`` what the network thinks of its error.

        Nothing is filled in: pixels without detector stay without. So do slices with hardly a detector or without
        any spread, which say nothing. Intensities far above a slice's others are bounded (standardised value 8).
        Where images are folded, mirror images of a pixel get the same value and share their error.

        Raises
        ------
        GeometryError : other slices or bins.
        """
        if not self.layout.same_bins(mosaic.layout):
            raise GeometryError(f"{mosaic.source or 'mosaic'}: layout: expected the slices and bins the denoiser "
                                f"was trained on (stacks of {self.layout.stack_shape}), found other ones (stacks "
                                f"of {mosaic.layout.stack_shape})")
        mean, deviation, mask = self.clean_stack(mosaic.stack, mosaic.stack_mask)
        cleaned = Mosaic.from_stack(mean, mask, mosaic.layout, variance=deviation**2)
        return replace(mosaic, values=cleaned.values, mask=cleaned.mask, variance=cleaned.variance,
                       metadata={**mosaic.metadata, "cleaned": self.description, "variance": "of the denoiser"})

    def clean_stack(self, signal: NDArray[Any], mask: BoolArray) -> tuple[Array, Array, BoolArray]:
        """Mean, standard deviation and mask (n_slices, n0, n1) of a stack; both in the units of ``signal``, 0
        where masked.
        """
        units, example = _measured(self.form, signal, mask)
        mean, deviation = self._answer(example[None])
        value, error = units.intensity(mean[0]), units.deviation(mean[0], deviation[0])
        mask = mask | ~units.usable[:, None, None]
        value, error = (np.where(mask, 0.0, self.form.unfold(a)) for a in (value, error))
        return value, error, mask

    @torch.no_grad()
    def _answer(self, examples: Float32) -> tuple[Array, Array]:
        """Mean and standard deviation (n, n_slices, m0, m1), standardised."""
        parts = []
        for first in range(0, len(examples), _BATCH):
            x = torch.from_numpy(examples[first:first + _BATCH])
            parts.append([a.double().numpy() for a in self.network(x[:, 0], x[:, 1])])
        mean, log_deviation = (np.concatenate(a) for a in zip(*parts, strict=True))
        return mean, self.spread * np.exp(log_deviation)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, whole or not at all."""
        header = {"version": _VERSION, "layout": self.layout.to_dict(), "mirrors": self.form.mirrors,
                  "spread": self.spread, "study_digest": self.study_digest, "description": self.description,
                  "history": self.history}
        write_tensors(Path(path), KIND, header, state_arrays(network=self.network))

    @classmethod
    def load(cls, path: str | Path) -> Denoiser:
        """Read what :meth:`save` wrote; executes nothing of the file.

        Raises
        ------
        FormatError : not a denoiser, damaged, or of another version.
        """
        path = Path(path)
        header, tensors = read_tensors(path, KIND)
        if header.get("version") != _VERSION:
            raise FormatError(path, f"denoiser version {_VERSION}", f"version {header.get('version')}")
        try:
            form = Form(MosaicLayout.from_dict(header["layout"]), tuple(header["mirrors"]))
            with torch.random.fork_rng(devices=[]):
                network = SliceUNet(form.layout)
            load_state_arrays(tensors, network=network)
            return cls(network, form, header["spread"], header["study_digest"], header["description"],
                       header["history"])
        except (KeyError, TypeError, ValueError, RuntimeError) as e:
            raise FormatError(path, "a consistent denoiser", str(e).splitlines()[0]) from e


def train_denoiser(training_set: TrainingSet, corruption: Corruption, settings: GenerativeSettings, *,
                   checkpoint: Path | None = None, progress: Progress | None = None, threads: int = 2) -> Denoiser:
    """Train a denoiser on pairs of spoilt and clean images; arguments and errors as
    :func:`insml.learn.train.train`.

    Images are folded by the mirrors they may be reflected by (``Corruption.mirror``).
    """
    form = Form.of(training_set.layout, corruption.mirror)

    def example(signal: NDArray[Any], mask: BoolArray, clean: NDArray[Any]) -> Float32:
        units, measured = _measured(form, signal, mask)
        target, _ = form.fold(clean, mask)
        return np.concatenate([measured, units.standardised(target)[None]])

    made, fitted = fit(lambda: SliceUNet(form.layout), form, example, training_set, corruption, settings,
                       checkpoint=checkpoint, progress=progress, threads=threads)
    network = cast(SliceUNet, made)
    raw = Denoiser(network, form, 1.0, training_set.study_digest, "", fitted.history)
    stack, covered, target = fitted.calibration.transpose(1, 0, 2, 3, 4).astype(float)
    mean, deviation = raw._answer(fitted.calibration)
    pixels = covered.sum()
    spread = float(np.sqrt((covered * ((mean - target) / deviation) ** 2).sum() / pixels))
    before, after = (float(np.sqrt((covered * (a - target) ** 2).sum() / pixels)) for a in (stack, mean))
    size = sum(p.numel() for p in network.parameters())
    return replace(raw, spread=spread, description=(
        f"denoiser, {size / 1e6:.2f} M parameters, {fitted.trained_on} simulated images, {settings.epochs} "
        f"epochs, seed {settings.seed}; root mean square error on {len(stack)} held-out simulated images "
        f"{after:.3f}, before {before:.3f} (standardised)"))


def _measured(form: Form, signal: NDArray[Any], mask: BoolArray) -> tuple[SliceUnits, Float32]:
    """Units of the slices, and (2, n_slices, m0, m1): the standardised stack, and 1 where it says something, else
    0."""
    folded, uncovered = form.fold(signal, mask)
    units, stack = SliceUnits.of(folded, uncovered)
    return units, np.stack([stack, ~uncovered & units.usable[:, None, None]]).astype(np.float32)
