"""From two witnesses to one statement."""

from __future__ import annotations

import numpy as np

from insml.answer import Answer, Classification, ModelFit
from insml.mosaic import Mosaic
from insml.study import Study

#: A witness that gives its favourite less than this is called undecided.
CONVINCED = 0.95
#: Above this reduced chi2 the best model still misses something that the errors do not cover.
GOOD_FIT = 2.0


def fit_probabilities(fits: dict[str, ModelFit]) -> dict[str, float]:
    """Posterior of each candidate from its log evidence, equal prior weights."""
    logs = np.array([f.log_evidence for f in fits.values()])
    weights = np.exp(logs - logs.max())
    return {name: float(w) for name, w in zip(fits, weights / weights.sum(), strict=True)}


def draw(study: Study, mosaic: Mosaic, fits: dict[str, ModelFit], classification: Classification | None,
         provenance: dict[str, str]) -> Answer:
    """The answer: a candidate is named when the fit prefers it, a witness is convinced of it, and none of another.

    A network whose input is out of distribution cannot convince; one that is undecided does not contradict.
    """
    odds = fit_probabilities(fits)
    favourite = max(odds, key=lambda name: odds[name])
    warnings: list[str] = []
    best = fits[favourite]
    if best.reduced_chi2 > GOOD_FIT:
        warnings.append(f"no candidate describes the data within the errors: reduced chi2 of the best is "
                        f"{best.reduced_chi2:.2f}; parameter errors and evidence are widened accordingly")
    warnings += [f"{name}: {', '.join(f.at_bound)} ended on the edge of the prior range"
                 for name, f in fits.items() if f.at_bound]
    warnings += [f"{name}: the fit did not converge ({f.message})" for name, f in fits.items() if not f.converged]
    if mosaic.metadata.get("variance") == "estimated":
        warnings.append("the file carries no errors; they were estimated from the scatter between neighbouring pixels")
    title = study.candidates[favourite].title
    verdict: str | None = None
    if classification is None:
        warnings.append("no network was asked (needs the extra insml[ml]); the fit is the only witness")
        if odds[favourite] >= CONVINCED:
            verdict, reason = favourite, f"the fit prefers {title!r} with probability {odds[favourite]:.3f}"
        else:
            reason = f"the fit is undecided: {title!r} has only probability {odds[favourite]:.3f}"
    else:
        network = classification.winner
        probability = classification.probabilities[network]
        trusted = classification.in_distribution
        if not trusted:
            warnings.append(f"out of distribution: {classification.ood_p_value:.2%} of held-out simulations look as "
                            "strange to the network; its probabilities are not to be trusted by themselves")
        said = (f"the network says {probability:.3f} for {study.candidates[network].title!r}, the fit "
                f"{odds[favourite]:.3f} for {title!r}")
        fit_convinced = odds[favourite] >= CONVINCED
        network_convinced = trusted and probability >= CONVINCED
        if network != favourite and (network_convinced or not fit_convinced):
            reason = f"the witnesses disagree: {said}"
        elif not fit_convinced and not network_convinced:
            reason = f"no witness is convinced: {said}"
        else:
            verdict = favourite
            reason = said
    assert verdict is None or verdict == favourite, "a network is never the only witness"
    return Answer(
        study_title=study.title,
        candidate_titles={c.name: c.title for c in study.candidates.values()},
        mosaic=mosaic, fits=fits, fit_probabilities=odds, classification=classification, verdict=verdict,
        reason=reason, warnings=tuple(warnings), provenance=provenance,
    )
