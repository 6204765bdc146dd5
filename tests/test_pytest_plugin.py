"""The pytest plugin, seen from outside: a project that uses the fixture, run in a process of its own."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INSTALLED = any(e.value == "microgradnd.pytest_plugin" for e in entry_points(group="pytest11"))

PROJECT = """
import numpy as np
import microgradnd as mg

bad = mg.op(np.tanh, lambda g, y, x: 2 * g * (1 - y * y), name="tanh_bad", elementwise=True)

def test_right(gradcheck):
    assert gradcheck(np.tanh, np.array([0.3, -1.0])).calls > 0

def test_wrong(gradcheck):
    x = np.array([0.3, -1.0])
    gradcheck(lambda x: np.sum(bad(x)), x)  # the user's line

def test_looked_at(gradcheck):
    assert gradcheck(bad, np.array([0.3]), raises=False)
"""


def run(tmp_path: Path, *options: str) -> str:
    (tmp_path / "test_project.py").write_text(PROJECT)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    load = [] if INSTALLED else ["-p", "microgradnd.pytest_plugin"]
    path = os.pathsep.join(filter(None, [str(ROOT) if not INSTALLED else "", os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", "pytest", *load, "-p", "no:cacheprovider", "-rA", *options, str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, check=False
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    return run(tmp_path_factory.mktemp("project"))


def test_right_passes_and_wrong_fails(output: str) -> None:
    assert "2 failed, 1 passed" in output


def test_the_failure_names_the_op_and_shows_the_users_line_only(output: str) -> None:
    failure = output.partition("test_wrong _")[2].partition("test_looked_at _")[0]
    assert "the gradient of op `tanh_bad` is wrong" in failure
    assert "# the user's line" in failure
    assert "a constant factor 2" in failure
    assert "pytest_plugin.py" not in failure
    assert "gradcheck.py" not in failure


def test_an_assert_on_the_report_reads_well(output: str) -> None:
    failure = output.partition("test_looked_at _")[2]
    assert "assert <gradcheck the gradient of op `tanh_bad` is wrong" in failure


def test_the_report_is_attached_to_each_test(output: str) -> None:
    assert output.count("Captured gradcheck call") >= 3


def test_the_seed_is_the_tests_own_and_can_be_set(tmp_path: Path) -> None:
    first, second = (run(tmp_path, "-k", "wrong", f"--gradcheck-seed={n}") for n in (1, 2))
    worst = [next(line for line in text.splitlines() if "worst:" in line) for text in (first, second)]
    assert worst[0] != worst[1]


def test_loading_the_plugin_loads_no_optional_package() -> None:
    code = "import sys, microgradnd.pytest_plugin; print(*{m.partition('.')[0] for m in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"hypothesis", "matplotlib", "scipy", "sklearn"} & set(done.stdout.split())
