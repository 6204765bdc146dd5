"""The gradient check: what it must catch, what it must leave alone, and what it says."""

import numpy as np
import pytest

import microgradnd as mg


def test_a_right_gradient_passes_at_both_orders() -> None:
    report = mg.gradcheck(lambda x, y: np.exp(x) * y, np.array([0.5, -1.0]), np.array([[2.0], [0.3]]), order=2)
    assert report
    assert report.max_error < 1e-9


def test_a_wrong_gradient_raises_an_assertion_error() -> None:
    bad = mg.op(np.tanh, lambda g, y, x: g * (1 - y), name="tanh_bad", elementwise=True)
    with pytest.raises(mg.GradcheckError, match="analytic"):
        mg.gradcheck(bad, np.array([0.5, -1.0]))
