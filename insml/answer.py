"""What a report states: the network's opinion, the classical fits, and the verdict drawn from both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from insml.mosaic import Mosaic

if TYPE_CHECKING:
    from insml.explain.explanation import Explanation

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Classification:
    """A network's answer for one mosaic. Dictionaries are keyed by candidate name, in study order.

    Attributes
    ----------
    probabilities : calibrated class probabilities, sum 1.
    kernels : DUQ kernel value of each class centroid, 0 (far) to 1 (at the centroid).
    epistemic : 0 (known) to 1 (never seen): 1 - max kernel for DUQ; for samples of a posterior and for ensembles what they
        disagree about, the mutual information of class and sample over ln(classes).
    ood_score : larger is stranger.
    ood_p_value : share of held-out simulated mosaics at least as strange; in_distribution means p >= ood_threshold.
    ood_parts : what the score is made of, each in standard deviations of held-out simulations: what the "network" finds, in
        all runs and without each of them; the "appearance" of slices; their "gaps"; and "symmetry", by how mirror images
        differ.
    asymmetry : what they differ by, where the network folds them: the relative "slope" of intensity from the middle to the
        edge of an axis, and the "turn" of the crystal in degrees. Noise makes both too small.
    saliency : image like the mosaic's values, >= 0: LayerCAM of the pre-activation score difference (winner minus
        runner-up), of the finest layer that tells slices apart, else of the last. What speaks for the winner.
    slice_saliency : (n_slices,) mean of the saliency over each slice's unmasked pixels.
    network : which network answered, how it was trained (free text for people).
    orientation : how a bare array was read, see ``insml.measured.ORIENTATIONS``.
    """

    probabilities: dict[str, float]
    kernels: dict[str, float]
    epistemic: float
    ood_score: float
    ood_p_value: float
    ood_threshold: float
    saliency: Array
    slice_saliency: Array
    network: str
    orientation: str = "as it is"
    ood_parts: dict[str, float] = field(default_factory=dict)
    asymmetry: dict[str, float] = field(default_factory=dict)

    @property
    def winner(self) -> str:
        return max(self.probabilities, key=lambda name: self.probabilities[name])

    @property
    def in_distribution(self) -> bool:
        return self.ood_p_value >= self.ood_threshold

    def to_dict(self) -> dict[str, Any]:
        """Everything but the maps, as JSON has it."""
        return {
            "winner": self.winner,
            "probabilities": self.probabilities,
            "kernels": self.kernels,
            "epistemic": self.epistemic,
            "ood_score": self.ood_score,
            "ood_p_value": self.ood_p_value,
            "ood_threshold": self.ood_threshold,
            "ood_parts": self.ood_parts,
            "asymmetry": self.asymmetry,
            "in_distribution": self.in_distribution,
            "description": self.network,
        }


@dataclass(frozen=True, eq=False)
class ModelFit:
    """Best fit of one candidate to one mosaic, by least squares over its exchange parameters.

    Scale and background of each slice are linear and eliminated in closed form.

    Attributes
    ----------
    parameters, errors : by parameter name; errors are 1 sigma from the covariance times max(1, reduced chi2).
    covariance : (npar, npar), the same scaling as ``errors``.
    chi2 : sum over unmasked pixels; ``dof`` = pixels minus all free parameters.
    chi2_per_slice, pixels_per_slice : (n_slices,).
    log_evidence : Laplace approximation with the study's priors, noise inflated by the smallest reduced chi2 of all
        candidates where that exceeds 1 and by the correlation between neighbouring residuals; only differences between
        candidates mean anything.
    noise : what chi2 is divided by before it counts as evidence, the inflation that ``log_evidence`` states; the same for
        all candidates of one call.
    widths : where the study leaves them free, the factors on the resolution's widths in "Q" and "energy"; else empty.
    best_fit : simulated mosaic at the optimum, scale and background included.
    at_bound : names of parameters that ended on a prior bound.
    """

    name: str
    parameters: dict[str, float]
    errors: dict[str, float]
    covariance: Array
    chi2: float
    dof: int
    chi2_per_slice: Array
    pixels_per_slice: NDArray[np.int64]
    log_evidence: float
    best_fit: Mosaic
    converged: bool
    message: str
    at_bound: tuple[str, ...] = ()
    widths: dict[str, float] = field(default_factory=dict)
    noise: float = 1.0

    @property
    def reduced_chi2(self) -> float:
        return self.chi2 / self.dof

    @property
    def evidence(self) -> float:
        """Alias of ``log_evidence`` (natural logarithm)."""
        return self.log_evidence


@dataclass(frozen=True, eq=False)
class Account:
    """Why a network prefers one candidate to another in one mosaic, beside what two fits say of each slice.

    Attributes
    ----------
    explanation : of the network's log odds. drops : (n_slices,) what they lose without each slice.
    ratio : (n_slices,) log-likelihood ratio of the winner's best fit to the runner-up's, ``ratio_map`` : (n_slices, n0, n1)
        of each pixel; None without fits.
    """

    study_title: str
    mosaic: Mosaic
    classification: Classification
    explanation: Explanation
    drops: Array
    ratio: Array | None = None
    ratio_map: Array | None = None


@dataclass(frozen=True, eq=False)
class Answer:
    """Everything a report says about one mosaic.

    ``verdict`` is a candidate's name, or None when the witnesses disagree or neither is convinced; ``reason`` says in
    one sentence why, and ``warnings`` what speaks against trusting it (data out of distribution, a poor fit, ...).
    ``fit_probabilities`` are the candidates' posterior odds from log_evidence with equal prior weight.
    """

    study_title: str
    candidate_titles: dict[str, str]
    mosaic: Mosaic
    fits: dict[str, ModelFit]
    fit_probabilities: dict[str, float]
    classification: Classification | None
    verdict: str | None
    reason: str
    warnings: tuple[str, ...] = ()
    provenance: dict[str, str] = field(default_factory=dict)
