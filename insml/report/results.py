"""An answer as JSON: stable keys, floats in full precision, null where a number is not known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from insml.answer import Answer, ModelFit
from insml.report.evidence import log_ratios, shares
from insml.study import Study

FORMAT, VERSION = "insml-report", 1


def results(answer: Answer, study: Study | None = None) -> dict[str, Any]:
    """Everything of the answer but its images. Exchange and anisotropy in meV, energies in meV, momenta in r.l.u.

    Log-likelihood ratios are of the candidate whose fit leads to each other one. Only ``provenance`` may differ between two
    runs with one seed. ``study`` adds prior ranges (null without it).
    """
    layout, network, ratios = answer.mosaic.layout, answer.classification, log_ratios(answer)
    slices = [
        {
            "energy": list(spec.energy),
            "ei": spec.ei,
            "pixels": next((fit.pixels_per_slice[s] for fit in answer.fits.values()), None),
            "chi2": {name: fit.chi2_per_slice[s] for name, fit in answer.fits.items()},
            "log_likelihood_ratio": {name: values[s] for name, values in ratios.items()},
            "saliency": None if network is None else network.slice_saliency[s],
            "saliency_share": None if network is None else shares(network.slice_saliency)[s],
        }
        for s, spec in enumerate(layout.slices)
    ]
    found: dict[str, Any] = plain({
        "format": FORMAT,
        "version": VERSION,
        "study": answer.study_title,
        "mosaic": {"title": answer.mosaic.title, "source": answer.mosaic.source, "layout": layout.to_dict()},
        "candidates": answer.candidate_titles,
        "verdict": answer.verdict,
        "reason": answer.reason,
        "warnings": answer.warnings,
        "network": None if network is None else network.to_dict(),
        "fit_probabilities": answer.fit_probabilities,
        "fits": {name: _fit(fit, study) for name, fit in answer.fits.items()},
        "slices": slices,
        "provenance": answer.provenance,
    })
    return found


def _fit(fit: ModelFit, study: Study | None) -> dict[str, Any]:
    priors = {} if study is None else {p.name: p.prior for p in study.candidates[fit.name].parameters}
    return {
        "parameters": {
            name: {"value": value, "error": fit.errors[name], "prior": priors.get(name),
                   "at_bound": name in fit.at_bound}
            for name, value in fit.parameters.items()
        },
        "covariance": fit.covariance,
        "chi2": fit.chi2,
        "dof": fit.dof,
        "reduced_chi2": fit.reduced_chi2,
        "log_evidence": fit.log_evidence,
        "converged": fit.converged,
        "message": fit.message,
    }


def plain(value: Any) -> Any:
    """JSON types only; numbers that are not finite become None."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value
