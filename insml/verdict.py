"""From two witnesses to one statement."""

from __future__ import annotations

import numpy as np

from insml.answer import Answer, Classification, ModelFit
from insml.mosaic import Mosaic
from insml.study import Study

#: A witness that gives its favourite less than this is called undecided.
CONVINCED = 0.95
#: Below CONVINCED a fit that gives its favourite at least this much still names it, as a weak preference.
LEANING = 0.6
#: Above this reduced chi2 the best model still misses something that the errors do not cover.
GOOD_FIT = 2.0


def fit_probabilities(fits: dict[str, ModelFit]) -> dict[str, float]:
    """Posterior of each candidate from its log evidence, equal prior weights."""
    logs = np.array([f.log_evidence for f in fits.values()])
    weights = np.exp(logs - logs.max())
    return {name: float(w) for name, w in zip(fits, weights / weights.sum(), strict=True)}


def draw(study: Study, mosaic: Mosaic, fits: dict[str, ModelFit], classification: Classification | None,
         provenance: dict[str, str]) -> Answer:
    """The answer: the fit's favourite is named unless the fit is undecided or the network is convinced of another.

    Where no witness is convinced, the preference is called weak. A network whose input is out of distribution neither
    convinces nor contradicts.
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
    said = f"the fit gives {odds[favourite]:.3f} to {title!r}"
    convinced = odds[favourite] >= CONVINCED
    contradicted = False
    if classification is None:
        warnings.append("no network was asked; the fit is the only witness")
    else:
        network = classification.winner
        probability = classification.probabilities[network]
        said += f", the network {probability:.3f} to {study.candidates[network].title!r}"
        if not classification.in_distribution:
            warnings.append(f"out of distribution: {classification.ood_p_value:.2%} of held-out simulations look as "
                            "strange to the network; its probabilities are not to be trusted by themselves")
        elif probability >= CONVINCED:
            convinced |= network == favourite
            contradicted = network != favourite
    if contradicted:
        reason = f"the witnesses disagree: {said}"
    elif convinced:
        verdict, reason = favourite, said
    elif odds[favourite] >= LEANING:
        verdict, reason = favourite, f"a weak preference: {said}"
        warnings.append(f"no witness is convinced: none gives a candidate {CONVINCED:.0%}")
    else:
        reason = f"undecided: {said}"
    assert verdict is None or verdict == favourite, "a network is never the only witness"
    return Answer(
        study_title=study.title,
        candidate_titles={c.name: c.title for c in study.candidates.values()},
        mosaic=mosaic, fits=fits, fit_probabilities=odds, classification=classification, verdict=verdict,
        reason=reason, warnings=tuple(warnings), provenance=provenance,
    )
