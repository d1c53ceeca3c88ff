import pytest
from hypothesis import given
from hypothesis import strategies as st

from insml.study.expressions import ExpressionError, Linear, parse

NAMES = ("J1", "J2", "D")
finite = st.floats(-1e3, 1e3)


@pytest.mark.parametrize(("text", "expected"), [
    ("J1", Linear(0.0, (("J1", 1.0),))), ("-J1", Linear(0.0, (("J1", -1.0),))),
    ("0.5*J1 - J2/4 + 3", Linear(3.0, (("J1", 0.5), ("J2", -0.25)))), (2, Linear(2.0)),
    ("2*(J1 + D) - 2*D", Linear(0.0, (("J1", 2.0),))), ("1/4", Linear(0.25)),
])
def test_accepted(text, expected):
    assert parse(text, NAMES) == expected


@pytest.mark.parametrize("text", [
    "J1*J2", "1/J1", "J1**2", "J3", "exp(J1)", "J1.real", "J1[0]", "", "J1 +", "1/0", "1e999", "'J1'", "J1 if D else 1",
    "True", "2j", "lambda: 1", "J1 and D", "(" * 150 + ")" * 40, "J1+" * 100, None, True, ["J1"], float("inf"),
])
def test_refused(text):
    with pytest.raises(ExpressionError):
        parse(text, NAMES)


@given(a=finite, b=finite, c=finite, d=finite, j1=finite, j2=finite)
def test_value_is_what_python_says(a, b, c, d, j1, j2):
    text = f"({a!r})*J1 + {b!r} - (J2*({c!r}) - J1)/4 + -{d!r}"
    linear = parse(text, NAMES)
    expected = a * j1 + b - (j2 * c - j1) / 4 + -d
    assert linear.value({"J1": j1, "J2": j2, "D": 0.0}) == pytest.approx(expected, rel=1e-9, abs=1e-6)
