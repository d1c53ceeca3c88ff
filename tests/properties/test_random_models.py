"""Random models, sound and broken: a finite spectrum or an InsmlError, never anything else (scripts/fuzz_models.py)."""

import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "fuzz_models.py"
spec = importlib.util.spec_from_file_location("fuzz_models", SCRIPT)
assert spec is not None
assert spec.loader is not None
fuzz = importlib.util.module_from_spec(spec)
sys.modules["fuzz_models"] = fuzz  # its dataclasses look themselves up
spec.loader.exec_module(fuzz)


@pytest.mark.parametrize("block", range(6))
def test_random_models_give_a_spectrum_or_a_clear_error(block: int) -> None:
    outcomes: Counter[str] = Counter()
    for index in range(50 * block, 50 * block + 50):
        try:
            outcomes[fuzz.outcome(fuzz.random_case(1, index))] += 1
        except BaseException as error:  # a panic of the core is no Exception
            pytest.fail(f"scripts/fuzz_models.py --seed 1 --only {index}: {type(error).__name__}: {error}")
    assert outcomes["spectrum"] > 10, outcomes
    assert outcomes["ModelError"] > 3, outcomes


def test_the_random_models_are_not_all_general() -> None:
    """Among those without a mistake are helices, cells that split into blocks and structures that are not stable."""
    cases = [fuzz.random_case(1, index) for index in range(200)]
    good = [fuzz.SpinModel(**c.model) for c in cases if c.kind == "repeated"]
    assert sum(len(model.describe().blocks) > 1 for model in good) > 20
    assert sum("turning" in c.kind for c in cases) > 20
