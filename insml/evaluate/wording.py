"""An evaluation in words and rows: the same for terminal and page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from insml.evaluate.evaluation import Evaluation, Step
from insml.evaluate.mistakes import Mistake
from insml.evaluate.quantities import Quantity
from insml.evaluate.shifts import FAMILIES

STEP_HEADS = ("shift", "", "accuracy", "AUROC", "FPR95", "loud", "best other score")

VARIANT_HEADS = ("shift", "", "of them", "images", "accuracy", "AUROC")

MISTAKE_HEADS = ("image", "simulated from", "parameters (meV)", "taken for", "p")


def quantity_heads(evaluation: Evaluation) -> tuple[str, ...]:
    """What stands above :func:`quantity_row`."""
    between = ("networks",) if len(evaluation.networks) > 1 else ()
    return ("quantity", "target", "met", "value", "95 % interval", *between, "images")


def quantity_row(q: Quantity) -> tuple[str, ...]:
    """A row: the name, what was asked, and what came out; the range over networks where there are several."""
    between = (f"{number(min(q.each))} to {number(max(q.each))}",) if len(q.each) > 1 else ()
    return (q.name, q.target, {None: "", True: "yes", False: "no"}[q.met], number(q.value),
            f"{number(q.low)} to {number(q.high)}", *between, str(q.n))


def step_row(step: Step) -> tuple[str, ...]:
    """Cells of :data:`STEP_HEADS`."""
    own = step.detection["density"]
    name, other = max(((k, d) for k, d in step.detection.items() if k != "density"), key=lambda kd: kd[1].auroc.value)
    return (f"{step.letter} {FAMILIES[step.letter].title}", str(step.severity),
            "-" if step.accuracy is None else number(step.accuracy.value), number(own.auroc.value), number(own.fpr95.value),
            {None: "", True: "yes", False: "no"}[step.loud], f"{name} {number(other.auroc.value)}")


def variant_rows(steps: Iterable[Step]) -> Iterator[tuple[str, ...]]:
    """Rows of :data:`VARIANT_HEADS`: images of a shift that were changed alike."""
    for s in steps:
        for v in s.variants:
            yield (s.letter, str(s.severity), v.name, str(v.n), "-" if v.accuracy is None else number(v.accuracy),
                   number(v.auroc))


def targets(evaluation: Evaluation) -> tuple[Quantity, ...]:
    """All quantities that have a target."""
    steps = [q for s in evaluation.steps for q in (s.detection["density"].auroc, s.detection["density"].fpr95)]
    return tuple(q for q in (*evaluation.quantities, *steps) if q.met is not None)


def verdict(evaluation: Evaluation) -> str:
    """How many targets are met, and which are not."""
    asked = targets(evaluation)
    missed = [q for q in asked if not q.met]
    said = f"{len(asked) - len(missed)} of {len(asked)} targets are met."
    if missed:
        said += " Missed: " + "; ".join(f"{q.name} {number(q.value)} (asked {q.target})" for q in missed) + "."
    return said


def loudness(evaluation: Evaluation) -> str:
    """Whether failures announce themselves."""
    judged = [s for s in evaluation.steps if s.loud is not None]
    quiet = [f"{s.letter}{s.severity}" for s in judged if not s.loud]
    if not judged:
        return "Nowhere does accuracy fall below 95 %."
    said = f"Accuracy falls below 95 % in {len(judged)} of {len(evaluation.steps)} shifts"
    return (f"{said}, and each of them is told from usual images with an AUROC above 0.95." if not quiet else
            f"{said}; without an AUROC above 0.95 in {', '.join(quiet)}.")


def mistaken(evaluation: Evaluation) -> str:
    """How many clean images are taken for another candidate's."""
    n = len(evaluation.mistakes)
    return f"{n} clean image{'s are' if n != 1 else ' is'} taken for another candidate's; evaluation.json lists all."


def mistake_row(m: Mistake) -> tuple[str, ...]:
    """Cells of :data:`MISTAKE_HEADS`."""
    said = ", ".join(f"{name} {value:.3g}" for name, value in m.parameters.items())
    return (str(m.image), m.candidate, said, m.taken_for, number(m.probability))


def number(x: float) -> str:
    """Three significant places, more where it is near 1."""
    return f"{x:.4f}" if 0.9 <= abs(x) < 1 else f"{x:.3g}"
