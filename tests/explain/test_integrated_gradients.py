from __future__ import annotations

import numpy as np
import pytest
import torch
from toys import layout, subject

from insml.errors import InsmlError
from insml.explain.integrated_gradients import integrated_gradients


@pytest.mark.parametrize(("name", "kind"), [("slice-stack", "duq"), ("pooled", "softmax")])
def test_they_are_complete(name: str, kind: str) -> None:
    """Their sum is what the score gained on the way, normalising layers included."""
    asked = subject(name, layout(6, 20, 3), kind)
    zero = torch.zeros_like(asked.x)
    found = integrated_gradients(asked.score, asked.x, zero, tolerance=0.1)
    with torch.no_grad():
        gained = float(asked.score(asked.x) - asked.score(zero))
        on_the_way = torch.cat([asked.score(t * asked.x) for t in np.geomspace(1e-5, 1, 60)])
        largest = float((on_the_way - asked.score(zero)).abs().max())
    assert found.shape == asked.layout.stack_shape
    assert abs(found.sum() - gained) <= 0.1 * 1.1 * largest


def test_they_are_exact_for_a_product() -> None:
    """f = a b of x = (2, 3) from (1, 1): each gets the integral of the other along the line, 1 * 2 and 2 * 1.5."""
    x, baseline = torch.tensor([2.0, 3.0]).reshape(1, 2, 1, 1), torch.ones(1, 2, 1, 1)
    found = integrated_gradients(lambda t: t[:, 0, 0, 0] * t[:, 1, 0, 0], x, baseline)
    np.testing.assert_allclose(found.ravel(), [1 * 2.0, 2 * 1.5], rtol=1e-6)


def test_nothing_for_no_way() -> None:
    asked = subject("slice-stack", layout(3, 8, 3))
    assert not integrated_gradients(asked.score, asked.x, asked.x).any()


def test_a_jump_is_refused() -> None:
    with pytest.raises(InsmlError, match="integrated gradients: expected their sum to be the change of the score"):
        integrated_gradients(lambda t: 0 * t.sum((1, 2, 3)) + (t.sum((1, 2, 3)) > 0.3), torch.ones(1, 1, 1, 1),
                             torch.zeros(1, 1, 1, 1))
