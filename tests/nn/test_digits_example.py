"""The digits example does what it says: the split, the first weights, the training, the two pictures."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
EXAMPLE = Path(__file__).parents[2] / "examples" / "digits.py"


@pytest.fixture(scope="module")
def digits():
    spec = importlib.util.spec_from_file_location("digits_example", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_split_and_weights_are_those_of_the_legacy_seeds(digits):
    X, _, train, test = digits.load_split()
    assert (len(train), len(test)) == (1257, 540)
    assert not set(train) & set(test)
    assert len(set(train) | set(test)) == len(X)
    draws = np.random.RandomState(2130).uniform(-1, 1, size=64 * 10 + 10 + 10 * 10 + 10)
    weights = np.concatenate([p.data.ravel() for p in digits.build_network().parameters()])
    np.testing.assert_array_equal(weights, draws)


@pytest.mark.slow
def test_main_trains_and_draws(digits, tmp_path, capsys):
    digits.main(3000, tmp_path)
    told = capsys.readouterr().out
    assert "test accuracy" in told
    assert "us a step" in told
    assert "go further" in told
    accuracy = float(told.split("test accuracy ")[1].split("%")[0])
    assert 30 < accuracy < 75, "3,000 of 20,000 steps: far above chance, not yet at the end"
    assert (tmp_path / "digits_training.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "digits_graph.svg").read_text(encoding="utf-8")
