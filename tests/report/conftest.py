"""Reports are of answers that are made up."""

from collections.abc import Callable

import pytest
from made_answers import Made, make_answer

from insml.answer import Answer


@pytest.fixture(scope="session")
def make() -> Callable[[Made], Answer]:
    return make_answer
