"""The digits examples do what they say: the split, the first weights, the training, and the results in docs/results.md."""

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
RESULTS = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")


def example(name):
    spec = importlib.util.spec_from_file_location(f"{name}_example", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def told(pattern):
    """The two numbers that docs/results.md gives here."""
    found = re.search(pattern, RESULTS)
    assert found, f"docs/results.md has nothing like {pattern}"
    return float(found[1]), float(found[2])


@pytest.fixture(scope="module")
def digits():
    return example("digits")


def test_split_and_weights_are_those_of_the_legacy_seeds(digits):
    X, _, train, test = digits.load_split()
    assert (len(train), len(test)) == (1257, 540)
    assert not set(train) & set(test)
    assert len(set(train) | set(test)) == len(X)
    draws = np.random.RandomState(2130).uniform(-1, 1, size=64 * 10 + 10 + 10 * 10 + 10)
    weights = np.concatenate([p.data.ravel() for p in digits.build_network().parameters()])
    np.testing.assert_array_equal(weights, draws)


@pytest.mark.slow
def test_main_trains_and_draws_and_reaches_what_the_results_say(digits, tmp_path, capsys):
    digits.main(20_000, tmp_path)
    printed = capsys.readouterr().out
    assert "us a step" in printed
    assert "go further" in printed
    reached = [float(re.search(rf"{part} accuracy ([\d.]+)%", printed)[1]) for part in ("training", "test")]
    # Another machine's matrix products round otherwise: a few images near a border may change sides.
    assert reached == pytest.approx(
        told(r"here \|.*\n(?:.*\n)*.*train ([\d.]+) %, test ([\d.]+) % \| \{doc\}"), abs=0.5
    )
    assert (tmp_path / "digits_training.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "digits_graph.svg").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "title"), [("MLP", "MLP"), ("CNN", "convolutional")])
def test_the_best_reach_what_the_results_say(kind, title, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    best = example("digits_best")
    sys.modules.pop("digits", None)
    X, y, train, test = best.load_split()
    X = (X / 16).astype(best.DTYPE)
    seeds = range(100, 100 + best.MEMBERS)
    votes = sum(
        best.train_and_predict(kind, X[train], y[train], X[test], seed, best.CANDIDATES[kind][0]) for seed in seeds
    )
    accuracy = 100 * np.mean(votes.argmax(axis=1) == y[test])
    low, high = told(rf"{title} ([\d.]+) to ([\d.]+) %")
    assert accuracy > 98.5
    assert low - 0.2 <= accuracy <= high + 0.2  # an image more or less
