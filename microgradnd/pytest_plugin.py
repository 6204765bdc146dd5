"""The pytest plugin: a fixture `gradcheck`, whose failures point at the user's line.

It is loaded in every pytest run of every project in the environment, so it imports nothing but pytest and what
the package itself imports: NumPy, and none of the optional packages.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import pytest

from . import GradcheckError
from . import gradcheck as check


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options ``--gradcheck-seed`` and ``--gradcheck-exhaustive``."""
    group = parser.getgroup("gradcheck", "gradient checks (microgradnd)")
    group.addoption(
        "--gradcheck-seed",
        type=int,
        default=None,
        metavar="N",
        help="seed of all gradient checks; by default each test has one of its own, made from its name",
    )
    group.addoption(
        "--gradcheck-exhaustive",
        action="store_true",
        help="check every element of every gradient, however large",
    )


@pytest.fixture
def gradcheck(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`microgradnd.gradcheck` with a seed of this test's own; its report is attached to the test.

    The seed depends on the test's name alone: neither on the order of tests nor on who runs beside it.
    """
    seed = request.config.getoption("--gradcheck-seed")
    defaults: dict[str, Any] = {"seed": zlib.crc32(request.node.nodeid.encode()) if seed is None else seed}
    if request.config.getoption("--gradcheck-exhaustive"):
        defaults["exhaustive"] = True

    def gradcheck(f: Callable[..., Any], *inputs: Any, raises: bool = True, **options: Any) -> Any:
        __tracebackhide__ = True
        report = check(f, *inputs, raises=False, **(defaults | options))
        request.node.add_report_section("call", "gradcheck", str(report))
        if raises and not report:
            raise GradcheckError(report)
        return report

    return gradcheck
