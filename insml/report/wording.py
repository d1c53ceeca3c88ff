"""Numbers and plain sentences shared by the terminal and the HTML page. No symbols beyond Latin-1."""

from __future__ import annotations

import math

from insml.answer import Answer, Classification
from insml.mosaic import SliceSpec
from insml.verdict import GOOD_FIT


def with_error(value: float, error: float) -> str:
    """``value ± error`` (1 sigma) with two significant digits of the error; ``± ?`` when it is not known."""
    if not math.isfinite(value):
        return "not determined"
    if not (math.isfinite(error) and error > 0):
        return f"{value:.5g} ± ?"
    digits = max(0, 1 - math.floor(math.log10(float(f"{error:.2g}"))))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def percent(p: float) -> str:
    """A probability that never claims to be certain."""
    if p > 0.999:
        return "> 99.9 %"
    if p < 0.001:
        return "< 0.1 %"
    return f"{100 * p:.1f} %"


def window(spec: SliceSpec) -> str:
    """Energy window of a slice, in meV (unit not written)."""
    return f"{spec.energy[0]:g} to {spec.energy[1]:g}"


def verdict(answer: Answer) -> str:
    if answer.verdict is None:
        return "No verdict"
    title = answer.candidate_titles.get(answer.verdict, answer.verdict)
    return answer.verdict if title == answer.verdict else f"{answer.verdict} ({title})"


def familiarity(network: Classification) -> str:
    """What the out-of-distribution p-value says."""
    if network.in_distribution:
        return (f"The data look like what the network was trained on: {percent(network.ood_p_value)} of the "
                f"simulated mosaics it had not seen look at least as strange.")
    share = "none" if network.ood_p_value <= 0 else f"only {percent(network.ood_p_value)}"
    return (f"The data do not look like what the network was trained on: {share} of the simulated mosaics it had not "
            f"seen look as strange (limit {percent(network.ood_threshold)}). Do not trust its probabilities.")


def score(network: Classification) -> str:
    """The out-of-distribution score and what it is made of, each in standard deviations of held-out simulations; by what
    mirror images differ where that is strange."""
    parts = ", ".join(f"{name} {value:.1f}" for name, value in network.ood_parts.items())
    if network.ood_parts.get("symmetry", 0) > 0:
        differences = ", ".join(f"{name} {value:+.2g}" for name, value in network.asymmetry.items())
        parts += f"; mirror images differ by {differences} degrees"
    return f"out-of-distribution score {network.ood_score:.4g}" + (f" ({parts})" if parts else "")


def closeness(network: Classification) -> str:
    """What the largest kernel value says."""
    nearest = max(network.kernels, key=lambda name: network.kernels[name])
    away = 1 - network.kernels[nearest]
    how = "close to" if away < 0.3 else "some way from" if away < 0.6 else "far from"
    return (f"To the network this mosaic is {how} a typical '{nearest}' (kernel {network.kernels[nearest]:.2f}; 1 is "
            f"typical, 0 unlike any).")


def fit_quality(reduced_chi2: float) -> str:
    """What a reduced chi2 says."""
    if reduced_chi2 > GOOD_FIT:
        return "more than the errors of the data allow"
    if reduced_chi2 < 1 / GOOD_FIT:
        return "the errors of the data look too large"
    return "as the errors of the data allow"
