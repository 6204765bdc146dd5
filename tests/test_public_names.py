"""Every public name is documented: a docstring for all, a doctest where a reader would want to copy one."""

import doctest
import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

import microgradnd as mg
from microgradnd import nn

ESTIMATORS = ("MLPClassifier", "MLPRegressor")  # imported when asked for
NAMES = [
    (module, name)
    for module in (mg, nn)
    for name, value in [*vars(module).items(), *((n, getattr(nn, n)) for n in ESTIMATORS if module is nn)]
    if not name.startswith("_")
    and not inspect.ismodule(value)
    and getattr(value, "__module__", "").startswith("microgradnd")
]

# Their use is shown where they are used: an error, a base class, plain aliases of what is shown elsewhere.
NO_EXAMPLE_NEEDED = {"GradcheckError", "Sample", "Op", "Tensor", "Optimizer", "Schedule", "Callback", "Training"}


@pytest.mark.parametrize(("module", "name"), NAMES, ids=lambda x: x if isinstance(x, str) else x.__name__)
def test_a_public_name_is_documented(module: ModuleType, name: str) -> None:
    value = getattr(module, name)
    if isinstance(value, mg.Op):
        assert value.name, f"{name} has no name to be listed by"
    else:
        doc = inspect.getdoc(value) or ""
        assert len(doc.split()) > 3, f"{name} has no docstring"


@pytest.mark.parametrize(
    "name",
    [
        "grad",
        "value_and_grad",
        "vjp",
        "jvp",
        "jacobian",
        "hessian",
        "hvp",
        "gradients",
        "checkpoint",
        "gradcheck",
        "draw",
        "explain",
        "tensor",
        "astensor",
        "debug",
        "no_grad",
    ],
)
def test_the_engine_shows_an_example(name: str) -> None:
    value = getattr(mg, name)
    assert doctest.DocTestParser().get_examples(inspect.getdoc(value) or ""), f"mg.{name} has no doctest"


@pytest.mark.parametrize("name", sorted(n for m, n in NAMES if m is nn and not isinstance(getattr(nn, n), mg.Op)))
def test_networks_show_an_example(name: str) -> None:
    if name not in NO_EXAMPLE_NEEDED:
        assert doctest.DocTestParser().get_examples(inspect.getdoc(getattr(nn, name)) or ""), (
            f"nn.{name} has no doctest"
        )


def test_the_reference_lists_every_public_name() -> None:
    found = importlib.util.spec_from_file_location(
        "public_names", Path(__file__).parent.parent / "docs" / "public_names.py"
    )
    assert found is not None
    assert found.loader is not None
    pages = importlib.util.module_from_spec(found)
    found.loader.exec_module(pages)
    text = "".join([pages.page(mg), pages.page(nn), pages.operations(mg), pages.operations(nn)])
    assert [name for _, name in NAMES if not re.search(rf"(?:\.|`){name}(?:`|\n)", text)] == []
