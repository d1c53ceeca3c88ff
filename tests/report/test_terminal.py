from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_answers import OTHER, TRUE, Made
from rich.console import Console

from insml.answer import Answer
from insml.report import render
from insml.report.wording import percent, score, with_error
from insml.study import Study, bundled

Make = Callable[[Made], Answer]


def shown(answer: Answer, study: Study | None = None, width: int = 80) -> list[str]:
    console = Console(width=width, no_color=True, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        console.print(render(answer, study))
        return console.export_text(styles=False).splitlines()


def flat(lines: list[str]) -> str:
    """One line, frames and wrapping aside."""
    return " ".join(" ".join(lines).replace("│", " ").split())


def test_agreement(make: Make) -> None:
    answer = replace(make(Made()), warnings=("19 hot pixels were masked.",))
    lines = shown(answer, bundled("square_antiferromagnet"))
    text = flat(lines)
    assert all(len(line) <= 80 for line in lines)
    assert "neel (Uniform: J1 and J2)" in text
    assert answer.reason in text
    assert "97.0 %" in text
    assert "> 99.9 %" in text
    assert "10.123 ± 0.051 4 to 16 nearest neighbours" in text
    assert "-0.2 ± ? -0.2 to 0 at bound" in text
    assert f"reduced chi2 {answer.fits[TRUE].reduced_chi2:.3f}: as the errors of the data allow" in text
    assert "16 to 20 meV" in text
    assert "! 19 hot pixels were masked." in text
    for absent in ("No verdict", "do not look like", "not converged"):
        assert absent not in text


@pytest.mark.parametrize(("p_value", "share"), [(0.0, "none of the simulated"), (0.004, "only 0.4 % of the simulated")])
def test_out_of_distribution(make: Make, p_value: float, share: str) -> None:
    answer = make(Made(p_value=p_value))
    text = flat(shown(answer))
    assert f"The data do not look like what the network was trained on: {share}" in text
    assert "score 1.5 (network 1.2, appearance 0.3, gaps 0.0), p-value" in text
    assert any("out of distribution" in w for w in answer.warnings)
    assert all(f"! {w}" in text for w in answer.warnings)


def test_what_mirror_images_differ_by_is_said_where_it_is_strange(make: Make) -> None:
    network = make(Made()).classification
    assert network is not None
    slopes = {"slope h": 0.312, "slope k": -0.02, "turn": 1.23}
    usual, odd = (score(replace(network, ood_parts={"symmetry": part}, asymmetry=slopes)) for part in (0.0, 7.0))
    assert usual.endswith("(symmetry 0.0)")
    assert odd.endswith("(symmetry 7.0; mirror images differ by slope h +0.31, slope k -0.02, turn +1.2 degrees)")


def test_witnesses_disagree(make: Make) -> None:
    answer = make(Made(winner=OTHER))
    text = flat(shown(answer))
    assert "No verdict" in text
    assert "witnesses disagree" in answer.reason
    assert answer.reason in text


@pytest.mark.parametrize(("noise", "words"), [(2.0, "more than the errors of the data allow"),
                                              (0.5, "the errors of the data look too large")])
def test_bad_chi2(make: Make, noise: float, words: str) -> None:
    assert words in flat(shown(make(Made(noise=noise))))


def test_failed_fit_says_so(make: Make) -> None:
    answer = make(Made())
    fit = replace(answer.fits[TRUE], converged=False, message="too many steps")
    assert "not converged: too many steps" in flat(shown(replace(answer, fits={TRUE: fit})))


def test_without_network_only_the_fit_speaks(make: Make) -> None:
    text = flat(shown(make(Made(network=False))))
    assert "How far to trust the network" not in text
    assert "saliency share log-likelihood ratio" in text
    assert "16 to 20 meV 60 - " in text


def test_text_from_files_is_not_markup(make: Make) -> None:
    answer = replace(make(Made()), reason="[bold]kept[/bold]", study_title="[red]title", warnings=("[/nothing]",))
    text = flat(shown(answer))
    for kept in ("[bold]kept[/bold]", "[red]title", "[/nothing]"):
        assert kept in text


def test_slices_are_ranked(make: Make) -> None:
    answer = make(Made())
    text = flat(shown(answer))
    table = text[text.index("log-likelihood ratio"):]
    assert table.index("16 to 20 meV") < table.index("24 to 28 meV")
    assert "36 to 40 meV" not in table, "a slice without pixels decides nothing"
    share = answer.classification.slice_saliency / answer.classification.slice_saliency.sum()
    ratio = (answer.fits[OTHER].chi2_per_slice - answer.fits[TRUE].chi2_per_slice) / 2
    assert f"16 to 20 meV 60 {100 * share[0]:.1f} % {ratio[0]:.2f} {TRUE}" in table


@given(st.floats(-1e4, 1e4), st.floats(1e-6, 1e4))
def test_value_and_error_survive_rounding(value: float, error: float) -> None:
    text = with_error(value, error)
    found_value, found_error = (float(x) for x in text.split(" ± "))
    assert abs(found_error - error) <= 0.051 * error or abs(found_error - error) <= 0.5
    assert abs(found_value - value) <= 0.051 * error * (1 + 1e-6) or (error >= 10 and abs(found_value - value) <= 0.5)


@pytest.mark.parametrize(("value", "error", "text"), [
    (10.1234, 0.0512, "10.123 ± 0.051"), (10.1234, 0.0999, "10.12 ± 0.10"), (-11.39, 2.0, "-11.4 ± 2.0"),
    (1234.5, 56.0, "1234 ± 56"), (0.5, 0.0, "0.5 ± ?"), (float("nan"), 1.0, "not determined")])
def test_value_and_error(value: float, error: float, text: str) -> None:
    assert with_error(value, error) == text


@given(st.floats(0, 1))
def test_percent_never_claims_certainty(p: float) -> None:
    assert percent(p) not in ("100.0 %", "0.0 %")
