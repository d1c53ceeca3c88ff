"""Images of a study as points of a space of 20 dimensions: cleaning, drawing, and "does anything in it look like
this?"."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from insml.datasets.corrupt import Corruption
from insml.datasets.store import TrainingSet
from insml.errors import FormatError, GeometryError, InsmlError
from insml.learn.form import Form
from insml.learn.generative.fit import fit
from insml.learn.generative.goodness import Goodness, fit_slices, goodness_of_fit
from insml.learn.generative.pairs import UNSPOILT
from insml.learn.generative.settings import PUBLISHED_VAE, GenerativeSettings
from insml.learn.generative.vae_network import LATENTS, VaeNetwork
from insml.learn.tensorfile import load_state_arrays, read_tensors, state_arrays, write_tensors
from insml.learn.trainer import Progress
from insml.mosaic import Mosaic, MosaicLayout

Array = NDArray[np.float64]
Float32 = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

KIND = "insml autoencoder"
_VERSION = 1


@dataclass(frozen=True, eq=False)
class Vae:
    """A variational autoencoder of the images of one study.

    Whatever comes in, what comes out looks like a simulated image: an encoder says nothing about whether it
    should. :meth:`goodness_of_fit` does.

    Attributes
    ----------
    network : in evaluation mode. layout : slices and bins of stacks.
    saturation : quantile of a measured image that is taken for 1; 1 its maximum, as published.
    study_digest : of the study it was trained for. description : how trained.
    history : per epoch: loss and validation loss (-ELBO).
    """

    network: VaeNetwork
    layout: MosaicLayout
    saturation: float
    study_digest: str
    description: str
    history: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.network.eval()

    @torch.no_grad()
    def encode(self, mosaic: Mosaic) -> tuple[Array, Array]:
        """(20,) mean and standard deviation of the latents of a mosaic.

        Raises
        ------
        GeometryError : other slices or bins.
        """
        mean, log_variance = self.network.encode(self._input(mosaic))
        return mean[0].double().numpy(), torch.exp(0.5 * log_variance[0]).double().numpy()

    @torch.no_grad()
    def decode(self, latents: NDArray[Any]) -> Array:
        """(n, n_slices, n0, n1) images from 0 to 1 of latents (n, 20)."""
        if latents.ndim != 2 or latents.shape[1] != LATENTS:
            raise InsmlError(f"autoencoder: latents: expected shape (n, {LATENTS}), found {latents.shape}")
        logits = self.network.decode(torch.from_numpy(np.asarray(latents, np.float32)))
        return torch.sigmoid(logits).double().numpy()

    def sample(self, n: int, seed: int = 0) -> Array:
        """(n, n_slices, n0, n1) images from 0 to 1 of latents drawn from the prior."""
        return self.decode(np.random.default_rng(seed).standard_normal((n, LATENTS)))

    def reconstruct(self, mosaic: Mosaic, samples: int = 32, seed: int = 0) -> Mosaic:
        """Mean and variance of the images of ``samples`` draws from q(z | mosaic), each slice scaled to what was
        measured and without the offset that fits best. Pixels without detector stay without.

        Published is one such draw, from 0 to 1, not the same twice. The variance is that of the draws alone: it
        does not know what the decoder cannot draw.
        """
        if samples < 2:
            raise InsmlError(f"autoencoder: samples: expected at least 2, found {samples}")
        mean, deviation = self.encode(mosaic)
        rng = np.random.default_rng(seed)
        drawn = self.decode(mean + deviation * rng.standard_normal((samples, LATENTS)))
        measured, mask = mosaic.stack, mosaic.stack_mask
        scale, _ = fit_slices(*map(torch.from_numpy, (drawn.mean(0), measured, (~mask).astype(float))))
        drawn *= scale.numpy()
        cleaned = Mosaic.from_stack(drawn.mean(0), mask, mosaic.layout, variance=drawn.var(0, ddof=1))
        return replace(mosaic, values=cleaned.values, variance=cleaned.variance,
                       metadata={**mosaic.metadata, "cleaned": self.description, "variance": "of the autoencoder"})

    def goodness_of_fit(self, mosaic: Mosaic, steps: int = 200) -> Goodness:
        """How well the best of all images of the decoder fits, see :mod:`insml.learn.generative.goodness`. Compare
        with what simulated images of the same noise get: the decoder blurs, so 1 is not reached where counts are
        many.

        Parameters
        ----------
        mosaic : with variances, positive wherever there is a detector (:func:`insml.cleaning.clean`).
        steps : of the search; 0 takes the encoder's latents.

        Raises
        ------
        GeometryError : other slices or bins. InsmlError : no variances, or some that are not positive.
        """
        variance, mask = mosaic.stack_variance, mosaic.stack_mask
        if variance is None or not (variance[~mask] > 0).all():
            found = "none" if variance is None else f"{variance[~mask].min():g}"
            raise InsmlError(f"{mosaic.source or 'mosaic'}: variance: expected a positive one wherever there is a "
                             f"detector (insml.cleaning.clean), found {found}")
        with torch.no_grad():
            start, _ = self.network.encode(self._input(mosaic))
        return goodness_of_fit(self.network, start, mosaic.stack, variance, mask, steps)

    def _input(self, mosaic: Mosaic) -> torch.Tensor:
        if not self.layout.same_bins(mosaic.layout):
            raise GeometryError(f"{mosaic.source or 'mosaic'}: layout: expected the slices and bins the "
                                f"autoencoder was trained on (stacks of {self.layout.stack_shape}), found other "
                                f"ones (stacks of {mosaic.layout.stack_shape})")
        return torch.from_numpy(_fraction(mosaic.stack, mosaic.stack_mask, self.saturation)[None])

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, whole or not at all."""
        header = {"version": _VERSION, "layout": self.layout.to_dict(), "saturation": self.saturation,
                  "study_digest": self.study_digest, "description": self.description, "history": self.history}
        write_tensors(Path(path), KIND, header, state_arrays(network=self.network))

    @classmethod
    def load(cls, path: str | Path) -> Vae:
        """Read what :meth:`save` wrote; executes nothing of the file.

        Raises
        ------
        FormatError : not an autoencoder, damaged, or of another version.
        """
        path = Path(path)
        header, tensors = read_tensors(path, KIND)
        if header.get("version") != _VERSION:
            raise FormatError(path, f"autoencoder version {_VERSION}", f"version {header.get('version')}")
        try:
            layout = MosaicLayout.from_dict(header["layout"])
            with torch.random.fork_rng(devices=[]):
                network = VaeNetwork(layout)
            load_state_arrays(tensors, network=network)
            return cls(network, layout, header["saturation"], header["study_digest"], header["description"],
                       header["history"])
        except (KeyError, TypeError, ValueError, RuntimeError) as e:
            raise FormatError(path, "a consistent autoencoder", str(e).splitlines()[0]) from e


def train_vae(training_set: TrainingSet, corruption: Corruption = UNSPOILT,
              settings: GenerativeSettings = PUBLISHED_VAE, *, saturation: float = 1.0,
              checkpoint: Path | None = None, progress: Progress | None = None, threads: int = 2) -> Vae:
    """Train an autoencoder; arguments and errors as :func:`insml.learn.train.train`.

    As it stands this is the published one: clean images in, the same images out. With a corruption it learns to
    draw the clean image of a spoilt one, holes filled. Images are put between 0 and 1 by their own minimum and
    maximum; ``saturation`` below 1 keeps broken pixels of spoilt ones from setting the maximum.
    """
    if not 0 < saturation <= 1:
        raise InsmlError(f"autoencoder: saturation: expected a quantile above 0 up to 1, found {saturation}")
    layout = training_set.layout

    def example(signal: NDArray[Any], mask: BoolArray, clean: NDArray[Any]) -> Float32:
        return np.stack([_fraction(signal, mask, saturation), _fraction(clean, np.zeros(clean.shape, bool), 1.0)])

    made, fitted = fit(lambda: VaeNetwork(layout), Form(layout), example, training_set, corruption, settings,
                       checkpoint=checkpoint, progress=progress, threads=threads)
    size = sum(p.numel() for p in made.parameters())
    return Vae(cast(VaeNetwork, made), layout, saturation, training_set.study_digest, (
        f"autoencoder with {LATENTS} latents, {size / 1e6:.2f} M parameters, {fitted.trained_on} simulated "
        f"images, {settings.epochs} epochs, seed {settings.seed}"), fitted.history)


def _fraction(signal: NDArray[Any], mask: BoolArray, saturation: float) -> Float32:
    """From 0 at the minimum to 1 at the quantile ``saturation`` of all pixels with detector; 0 where there is
    none."""
    if mask.all():
        return np.zeros(signal.shape, np.float32)
    covered = signal[~mask]
    low, high = float(covered.min()), float(np.quantile(covered, saturation))
    shifted = np.where(mask, 0.0, signal - low)
    return np.asarray(np.clip(shifted / (high - low) if high > low else np.zeros_like(shifted), 0, 1), np.float32)
