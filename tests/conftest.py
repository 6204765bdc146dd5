"""What all tests share: NumPy raises on silent overflow, and no test leaves the mode changed."""

from collections.abc import Iterator

import numpy as np
import pytest

from microgradnd.context import MODE


@pytest.fixture(autouse=True)
def _nothing_leaks() -> Iterator[None]:
    before = MODE.get()
    yield
    assert MODE.get() is before, "the test left no_grad, a scope or debug switched on"


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed."""
    return np.random.default_rng(0)
