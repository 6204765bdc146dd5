"""Every example runs alone, and reaches what the notebook reached and what its own text says."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"

# What each lesson must print, as patterns; the notebook's own results are among them.
PRINTED = {
    "plot_01_one_neuron": [
        r"by hand: +dL/dw = -0.755081",
        r"on the graph: +dL/dw = -0.755081",
        r"by trying: +dL/dw = -0.755081",
        r"check passed: True",
    ],
    "plot_02_gradient_descent": [r"accuracy: 100%"],
    "plot_03_xor_blobs": [
        r"perceptron 1: 100%",
        r"perceptron 2: 100%",
        r"perceptron 3: 100%",
        r"one network: +100%",
    ],
    "plot_04_activations": [r"sigmoid +100%", r"tanh +100%", r"relu +100%"],
    "plot_05_backpropagation": [r"all below one half", r"dL/dW2.*True", r"dL/db2.*True", r"dL/dA1.*True"],
    "plot_06_softmax_cross_entropy": [
        r"equal: True",
        r"second derivatives: True",
        r"sigmoid: .*True",
        r"as one op: +2000.0",
    ],
    "plot_07_a_wrong_backward": [
        r"right: False",
        r"input 0 and input 1 disagree",
        r"notebook_network",
        r"1.3% at lr 0.1",
        r"right: True",
        r"second derivatives too: True",
    ],
    "plot_08_custom_networks": [
        r"22 layers: 100%",
        r"alike or not: 100%",
        r"gradient check: True",
        r"colour: 100%",
    ],
    "plot_09_own_op": [r"second order: True", r"bump_without_minus. is wrong", r"\(2, 3\); check: True"],
    "plot_10_second_derivatives": [r"Newton: 7 steps", r"without the matrix: True", r"penalty 0.03: 100%"],
    "plot_11_physics_fit": [r"gradient check: True", r"fitted: length 1.30\d, friction 0.40\d"],
    "plot_12_text": [r"second: (9\d|100)%"],
}


def run(name: str, cwd: Path) -> str:
    """What an example prints when run as a reader runs it, warnings being errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")],
        cwd=cwd,
        env={
            **os.environ,
            "MPLBACKEND": "Agg",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
            "PYTHONIOENCODING": "utf-8",
        },
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_lesson_is_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("plot_*.py")} == set(PRINTED)


SLOW = {"plot_03_xor_blobs", "plot_04_activations", "plot_10_second_derivatives", "plot_12_text"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in PRINTED]
)
def test_a_lesson_prints_what_it_should(name: str, tmp_path: Path) -> None:
    printed = run(name, tmp_path)
    for pattern in PRINTED[name]:
        assert re.search(pattern, printed), f"{pattern!r} is not in:\n{printed}"


def test_readme_shows_code_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert (tmp_path / "graph.svg").stat().st_size > 1000


def test_the_front_page_shows_code_that_runs() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "index.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, "index.md", "exec"), names)
    assert np.allclose(names["x"].grad, [0.84147098, 0.90929743])
