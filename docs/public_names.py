"""A Sphinx extension: the reference pages, listing every public name, so that none can be missing."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import microgradnd as mg
from microgradnd import nn, strategies
from microgradnd.checking.report import Report
from microgradnd.draw.drawing import Drawing
from microgradnd.draw.formula import forward_text, vjp_text
from microgradnd.nn import init, plots

REFERENCE = Path(__file__).parent / "reference"
# Modules, each by how its names are typed.
MODULES = {"mg": mg, "mg.linalg": mg.linalg, "nn": nn, "init": init, "plots": plots, "strategies": strategies}
FURTHER = (init, plots, strategies)
RETURNED = (Drawing, Report)
ACTIVATIONS = "microgradnd.nn.activations"

ENGINE = """\
# microgradnd

Imported as `import microgradnd as mg`. NumPy's functions under `mg.`, `mg.exp` and their kin, have a {doc}`page of their own <ops>`.
"""
NETWORKS = """\
# microgradnd.nn

Imported as `from microgradnd import nn`.
"""
OPERATIONS = """\
# Operations

Where one of these and a NumPy function share a name they do the same: `np.exp(x)` on a tensor records `mg.exp`, and NumPy's own
page tells of its arguments. What is told here is what is added to it: **shapes**, and the **gradient**: what an argument gets from
`g`, the cotangent of the result `y`. Arrays in give an array; a tensor among them gives a tensor.

Errors that are the same for all: a `TypeError` for an option that no rule honours (`out=`, say, would lose the gradient), for an
operand that isn't real numbers, or for a gradient asked of an argument that has none; and NumPy's own errors, with the op's name, the
shapes and dtypes put before them.
"""
MORE = """\
# Further modules

Imported by name, since a network does without them: `from microgradnd.nn import init, plots`, `from microgradnd import strategies`.
"""
# The families of ops in the order in which one would learn them.
FAMILIES = (
    "arithmetic elementwise trigonometry special products einsum linalg norms reductions statistics cumulative sorting "
    "shape joining indexing diagonals windows polynomials applying"
).split()


def imported_when_asked_for(module: ModuleType) -> dict[str, object]:
    """What a module offers by ``__getattr__``, told by the re-exports that its type checker sees."""
    names = re.findall(r"import (\w+) as \1\b", inspect.getsource(module))
    return {name: getattr(module, name) for name in names if name not in vars(module)}


def public(module: ModuleType) -> dict[str, Any]:
    """Public functions, classes and ops of a module, by name."""
    names = getattr(module, "__all__", None) or {**vars(module), **imported_when_asked_for(module)}
    found = {name: getattr(module, name) for name in names}
    own = module.__name__ if module in FURTHER else "microgradnd"
    return {
        name: value
        for name, value in found.items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and callable(value)
        and getattr(value, "__module__", "").startswith(own)
    }


def path(module: ModuleType) -> str:
    """Where a module is found from outside."""
    return module.__name__.replace("microgradnd.ops.", "microgradnd.")


def typed(module: ModuleType) -> str:
    """What is typed for a module: ``mg``, ``nn``, ``mg.linalg``."""
    return next(name for name, known in MODULES.items() if known is module)


def is_op(value: object) -> bool:
    """Whether this is an entry of the registry of ops."""
    return isinstance(value, mg.Op)


def home(value: Any) -> str:
    """The module that a name comes from."""
    return str(value.module if is_op(value) else value.__module__)


def is_operation(value: Any) -> bool:
    """Whether this is an op, or the function in front of one."""
    return is_op(value) or (inspect.isfunction(value) and home(value).startswith("microgradnd.ops"))


# -- one name --------------------------------------------------------------------------------------


def alias_of(module: ModuleType, name: str, value: Any) -> str | None:
    """The other name under which this one is told of, if there is one."""
    proper = value.name if is_op(value) else getattr(value, "__name__", name)
    return proper if proper != name and getattr(module, proper, None) is value else None


def entry(module: ModuleType, name: str, value: Any) -> str:
    """What the reference tells of one name, as reStructuredText."""
    full = f"{path(module)}.{name}"
    if alias := alias_of(module, name, value):
        return f".. py:function:: {full}\n\n   The same as `{typed(module)}.{alias}`.\n"
    if is_op(value):
        body = "\n".join(f"   {line}" if line else "" for line in op_text(module, name, value).splitlines())
        return f".. py:function:: {full}({', '.join(arguments(value))})\n\n{body}\n"
    return f".. {'autoclass' if inspect.isclass(value) else 'autofunction'}:: {full}\n"


def arguments(op: Any) -> list[str]:
    """The names of an op's positional arguments, as its rules have them."""
    rule = next(rule for rule in (*op.vjps, op.joint) if rule is not None)
    names = [p.name for p in list(inspect.signature(rule).parameters.values())[2:] if p.kind is p.POSITIONAL_OR_KEYWORD]
    return names[: op.arity] or ["a", "b"][: op.arity]


def op_text(module: ModuleType, name: str, op: Any) -> str:
    """What there is to tell of an op without a function in front of it: its forward's docstring, or what its entry says."""
    own = inspect.getdoc(op.forward) if getattr(op.forward, "__module__", "").startswith("microgradnd") else None
    if own:
        return own
    names = arguments(op)
    sources = {
        "ufunc": f":py:obj:`np.{op.name} <numpy.{op.name}>`, written ",
        "partial": f":py:obj:`scipy.special.{op.name}`, written ",
    }
    shapes = f"that of `{names[0]}`" if len(names) == 1 else f"{' and '.join(f'`{n}`' for n in names)} broadcast"
    shapes = shapes if op.elementwise else "as of `np.matmul`"
    rules = [(n, vjp_text(op, i)) for i, n in enumerate(names) if op.vjps[i] is not None]
    gradient = ", ".join(f"``{rule}``{f' for `{n}`' if len(names) > 1 else ''}" for n, rule in rules)
    low, high = op.domain
    domain = f" Domain: from {low:g} to {high:g}." if (low, high) != (-float("inf"), float("inf")) else ""
    written = re.sub(r"\bx(\d)\b", lambda m: names[int(m[1])], forward_text(op))  # of a rule that names none
    call = example(f"{typed(module)}.{name}", op)
    return (
        f"{sources.get(type(op.forward).__name__, '')}``{written}``.\n\n"
        f"Shapes: {shapes}.{domain} Gradient: {gradient}.\n\n"
        f">>> import microgradnd as mg\n>>> {call}\n{eval(call, {'np': np, 'mg': mg, 'nn': nn})!r}\n"  # noqa: S307 - our own text
    )


def example(function: str, op: Any) -> str:
    """A call that shows the gradient of an op, at a point where it is defined."""
    if not op.elementwise:
        return (
            f"mg.grad(lambda a, b: {function}(a, b).sum(), argnums=(0, 1))(np.ones((1, 2)), np.array([[3.0], [4.0]]))"
        )
    low, high = op.domain
    x = 0.5 if low < 0.5 < high else low + 0.5
    wanted = tuple(i for i, rule in enumerate(op.vjps) if rule is not None)
    if op.arity == 1:
        return f"mg.grad({function})({x})"
    return (
        f"mg.grad({function}{f', argnums={wanted}' if len(wanted) > 1 else ''})({x}, {2.0 if len(wanted) > 1 else 2})"
    )


def directive(module: ModuleType, name: str, value: Any) -> str:
    """The same as MyST."""
    return f"```{{eval-rst}}\n{entry(module, name, value)}```\n"


# -- pages -----------------------------------------------------------------------------------------


def listed(module: ModuleType, names: dict[str, Any]) -> Iterator[str]:
    """One after the other, by name."""
    return (directive(module, name, value) for name, value in sorted(names.items()))


def functions_and_classes(module: ModuleType) -> list[str]:
    """What is neither an op, nor a function in front of one, nor an activation."""
    names = {n: v for n, v in public(module).items() if not (is_operation(v) or home(v) == ACTIVATIONS)}
    classes = {n: v for n, v in names.items() if inspect.isclass(v)}
    functions = {n: v for n, v in names.items() if n not in classes}
    return ["## Functions\n", *listed(module, functions), "## Classes\n", *listed(module, classes)]


def engine() -> str:
    """The page of the engine."""
    returned = [f"```{{eval-rst}}\n.. autoclass:: {c.__module__}.{c.__name__}\n```\n" for c in RETURNED]
    return "\n".join([ENGINE, *functions_and_classes(mg), "## What `mg.draw` and `mg.gradcheck` return\n", *returned])


def networks() -> str:
    """The page of networks, the functions of tensors first."""
    ops = {name: value for name, value in public(nn).items() if is_operation(value) or home(value) == ACTIVATIONS}
    return "\n".join([NETWORKS, "## Activations\n", *listed(nn, ops), *functions_and_classes(nn)])


def operations() -> str:
    """The page of NumPy's functions, by family, each introduced by what its module says of itself."""
    parts = [OPERATIONS]
    for family in FAMILIES:
        source = f"microgradnd.ops.{family}"
        namespace = mg.linalg if family in ("linalg", "norms") else mg
        names = {n: v for n, v in public(namespace).items() if is_operation(v) and home(v) == source}
        if family == "linalg":
            names |= {n: v for n, v in public(mg.linalg).items() if home(v) not in (source, "microgradnd.ops.norms")}
        introduction = inspect.getdoc(importlib.import_module(source))
        parts += [f"## {family.capitalize()}\n", f"```{{eval-rst}}\n{introduction}\n```\n", *listed(namespace, names)]
    return "\n".join(parts)


def further() -> str:
    """The page of modules that are imported by name."""
    parts = [MORE]
    for module in FURTHER:
        parts += [
            f"## {module.__name__}\n",
            f"```{{eval-rst}}\n{inspect.getdoc(module)}\n```\n",
            *listed(module, public(module)),
        ]
    return "\n".join(parts)


PAGES = {"engine.md": engine, "nn.md": networks, "ops.md": operations, "modules.md": further}


def generate(app: object) -> None:
    """Write the pages that changed."""
    for name, page in PAGES.items():
        path, text = REFERENCE / name, page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def link_to_numpy(app: object, what: str, name: str, value: Any, options: object, lines: list[str]) -> None:
    """Let the NumPy function that a docstring begins with be a link, in builds that have a network."""
    if lines and is_operation(value):
        lines[0] = re.sub(r"^`np\.([\w.]+)`", r":py:obj:`np.\1 <numpy.\1>`", lines[0])


def setup(app: object) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", generate)  # type: ignore[attr-defined]
    app.connect("autodoc-process-docstring", link_to_numpy)  # type: ignore[attr-defined]
    return {"parallel_read_safe": True, "parallel_write_safe": True}
