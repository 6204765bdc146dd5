"""A Sphinx extension: the reference pages, listing every public name, so that none can be missing."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType

import microgradnd as mg
from microgradnd import nn

REFERENCE = Path(__file__).parent / "reference"
INTRODUCTIONS = {
    "microgradnd": "Imported as `import microgradnd as mg`. The operations, `mg.exp` and their kin, have a {doc}`table of their own <ops>`.",
    "microgradnd.nn": "Imported as `from microgradnd import nn`. Functions of tensors such as `nn.relu` are ops: see the {doc}`table <ops>`.",
}


def imported_when_asked_for(module: ModuleType) -> dict[str, object]:
    """What a module offers by ``__getattr__``, told by the re-exports that its type checker sees."""
    names = re.findall(r"import (\w+) as \1\b", inspect.getsource(module))
    return {name: getattr(module, name) for name in names if name not in vars(module)}


def public(module: ModuleType) -> dict[str, object]:
    """Public functions, classes and ops of a module, by name."""
    return {
        name: value
        for name, value in {**vars(module), **imported_when_asked_for(module)}.items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and getattr(value, "__module__", "").startswith("microgradnd")
    }


def is_op(value: object) -> bool:
    """Whether this is an entry of the registry of ops."""
    return isinstance(value, mg.Op)


def is_operation(value: object) -> bool:
    """Whether this is an op, or the function in front of one."""
    return is_op(value) or (inspect.isfunction(value) and value.__module__.startswith("microgradnd.ops"))


def directive(module: str, name: str, value: object) -> str:
    """The directive that shows one name."""
    kind = "autoclass" if inspect.isclass(value) else "autofunction"
    return f"```{{eval-rst}}\n.. {kind}:: {module}.{name}\n```\n"


def page(module: ModuleType) -> str:
    """The reference page of one module."""
    names = {n: v for n, v in public(module).items() if not is_operation(v)}
    classes = sorted(n for n, v in names.items() if inspect.isclass(v))
    functions = sorted(n for n, v in names.items() if not inspect.isclass(v))
    title = module.__name__
    parts = [f"# {title}\n", INTRODUCTIONS[title] + "\n"]
    for heading, listed in (("Functions", functions), ("Classes", classes)):
        parts += [f"## {heading}\n", *(directive(title, name, names[name]) for name in listed)]
    return "\n".join(parts)


def operations(module: ModuleType) -> str:
    """One paragraph per operation: ops by formula, functions by docstring."""
    lines = [f"## In `{module.__name__}`\n"]
    for name, value in sorted(public(module).items()):
        if is_op(value):
            lines.append(f"- `{name}`: `{value.formula or value.name}`")  # type: ignore[attr-defined]
    lines.append("")
    lines += [
        directive(module.__name__, name, v)
        for name, v in sorted(public(module).items())
        if inspect.isfunction(v) and is_operation(v)
    ]
    return "\n".join(lines)


def write(path: Path, text: str) -> None:
    """Write a page if it changed."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def generate(app: object) -> None:
    """Write the pages."""
    write(REFERENCE / "engine.md", page(mg))
    write(REFERENCE / "nn.md", page(nn))
    text = "# Operations\n\nWhere an op and a NumPy function share a name they do the same, and `np.exp(x)` on a tensor records `mg.exp`.\n\n"
    write(REFERENCE / "ops.md", text + operations(mg) + "\n" + operations(nn))


def setup(app: object) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", generate)  # type: ignore[attr-defined]
    return {"parallel_read_safe": True, "parallel_write_safe": True}
