"""Every public name is documented alike: parameters or shapes, gradient, errors, and an example that runs."""

import doctest
import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn


def _load(path: Path) -> Any:
    found = importlib.util.spec_from_file_location(path.stem, path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


pages = _load(Path(__file__).parent.parent / "docs" / "public_names.py")
NAMES = [(module, name, value) for module in pages.MODULES.values() for name, value in pages.public(module).items()]
OPERATIONS = [case for case in NAMES if pages.is_operation(case[2]) or pages.home(case[2]) == pages.ACTIVATIONS]
REST = [case for case in NAMES if case not in OPERATIONS] + [(None, c.__name__, c) for c in pages.RETURNED]


def described(cases: list[Any]) -> Any:
    return pytest.mark.parametrize(
        ("module", "name", "value"), cases, ids=[f"{m and pages.typed(m)}.{name}" for m, name, _ in cases]
    )


def examples(text: str) -> list[doctest.Example]:
    return doctest.DocTestParser().get_examples(text)


@described(OPERATIONS)
def test_an_operation_tells_its_shapes_and_gradient_and_shows_it(module: ModuleType, name: str, value: Any) -> None:
    text = pages.entry(module, name, value) if pages.is_op(value) else inspect.getdoc(value)
    if not pages.alias_of(module, name, value):
        assert "Shapes" in text
        assert re.search(r"[Gg]radient: \S", text)
        assert examples(text)
        assert "``.." not in text.replace("``...", "")  # an empty formula


@described([case for case in OPERATIONS if pages.is_op(case[2])])
def test_what_is_made_of_an_ops_entry_runs(module: ModuleType, name: str, value: Any) -> None:
    test = doctest.DocTestParser().get_doctest(
        pages.entry(module, name, value), {"np": np, "nn": nn}, name, "the reference", 0
    )
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


def sections(doc: str) -> dict[str, str]:
    """A numpydoc docstring, by section."""
    parts = re.split(r"^(\w+)\n-+\n", doc, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


# Raised by what they are given, told where it is: an enum of them would say nothing.
FREE = {"self", "args", "kwargs", "exception"}


@described(REST)
def test_a_name_tells_its_parameters_and_errors_and_shows_it(module: ModuleType | None, name: str, value: Any) -> None:
    doc = inspect.getdoc(value) or ""
    told = sections(doc)
    if module is not None:  # what is only returned is never made by hand
        heads = re.findall(r"^[*\w].*(?:\\\n.*)*", told.get("Parameters", told.get("Attributes", "")), re.M)
        named = set(re.findall(r"\w+", " ".join(re.sub(r" : .*", "", head) for head in heads)))
        wanted = {p for p in inspect.signature(value).parameters if not p.startswith("_")} - FREE
        assert wanted <= named, f"not told of: {wanted - named}"
        assert examples(doc), "no example"
    source = inspect.getsource(value) if name != "GradcheckError" else ""
    raised = re.findall(r"raise (\w+Error)", source)
    assert bool(raised) <= ("Raises" in told or "Raises" in source), f"no word on {set(raised)}"


@described([case for case in REST if inspect.isclass(case[2])])
def test_the_methods_of_a_class_are_told_of(module: ModuleType | None, name: str, value: Any) -> None:
    for attribute, method in inspect.getmembers(value):
        if not attribute.startswith("_") and callable(method) and "microgradnd" in getattr(method, "__module__", ""):
            assert inspect.getdoc(method), f"{name}.{attribute} has no docstring"


def test_the_reference_lists_every_public_name() -> None:
    text = "".join(page() for page in pages.PAGES.values())
    missing = [
        f"{pages.path(m)}.{n}" for m, n, _ in NAMES if not re.search(rf":: {re.escape(pages.path(m))}\.{n}\b", text)
    ]
    assert missing == []
    assert len(NAMES) > 300
    assert {"mg", "nn", "mg.linalg"} <= {pages.typed(module) for module, _, _ in NAMES}
    assert mg.OPS
