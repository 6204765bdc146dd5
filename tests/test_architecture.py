"""The house rules that a reader relies on: which way imports point, and how long the core is."""

import ast
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENGINE = sorted(
    p for p in (ROOT / "microgradnd").rglob("*.py") if "nn" not in p.relative_to(ROOT / "microgradnd").parts
)
NN = sorted((ROOT / "nn").rglob("*.py"))
OPTIONAL = {
    "matplotlib",
    "sklearn",
    "tqdm",
    "safetensors",
    "scipy",
    "hypothesis",
    "graphviz",
    "pygraphviz",
    "IPython",
    "joblib",
}

# Left may not import right.
LAYERS = [
    "context",
    "messages",
    "memory",
    "core",
    "backward",
    "dispatch",
    "ops",
    "methods",
    "real_arrays",
    "tensor",
    "gradients",
    "replay",
    "transforms",
    "checking",
    "gradcheck",
    "draw",
    "nn",
]


def imports(path: Path) -> list[tuple[str, bool]]:
    """Absolute names of the modules a file imports, and whether that is at import time."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef) for n in ast.walk(f)
    }
    typing_only = {
        id(n)
        for i in ast.walk(tree)
        if isinstance(i, ast.If) and "TYPE_CHECKING" in ast.unparse(i.test)
        for n in ast.walk(i)
    }
    package = (
        ["microgradnd", *path.relative_to(ROOT / "microgradnd").parts[:-1]] if path in ENGINE else ["microgradnd", "nn"]
    )
    found = []
    for node in ast.walk(tree):
        at_import = id(node) not in inside and id(node) not in typing_only
        if isinstance(node, ast.Import):
            found += [(alias.name, at_import) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, node.module] if node.module else base)
            found += [(f"{name}.{alias.name}" if not node.module else name, at_import) for alias in node.names]
    return found


@pytest.mark.parametrize("path", ENGINE, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_engine_knows_nothing_of_networks(path: Path) -> None:
    bad = [name for name, _ in imports(path) if name.startswith("microgradnd.nn") or name.split(".")[0] == "sklearn"]
    assert not bad, f"{path.name} imports {bad}: the engine knows nothing of nn or scikit-learn"


@pytest.mark.parametrize("path", ENGINE + NN, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_hangs_on_assert_statements(path: Path) -> None:
    """Python leaves them out with -O: none does more than tell a type checker what is no None."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tests = [ast.unparse(n.test) for n in ast.walk(tree) if isinstance(n, ast.Assert)]
    assert all(re.fullmatch(r"[\w.]+ is not None", test) for test in tests)


@pytest.mark.parametrize("path", ENGINE + NN, ids=lambda p: str(p.relative_to(ROOT)))
def test_optional_packages_are_imported_where_they_are_used(path: Path) -> None:
    if path.name in {"estimators.py", "strategies.py"}:  # loaded on demand only
        return
    bad = [name for name, at_import in imports(path) if at_import and name.split(".")[0] in OPTIONAL]
    assert not bad, f"{path.name} imports {bad} at import time"


@pytest.mark.parametrize("path", NN, ids=lambda p: str(p.relative_to(ROOT)))
def test_nn_uses_the_engine_by_its_public_door_alone(path: Path) -> None:
    bad = [n for n, _ in imports(path) if n.startswith("microgradnd.") and not n.startswith("microgradnd.nn")]
    assert not bad, f"nn/{path.name} imports {bad}: it may use `import microgradnd as mg` alone"
    private = [
        f"mg.{node.attr}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and isinstance(node.value, ast.Name)
        and node.value.id == "mg"
    ]
    assert not private, f"nn/{path.name} uses {private}"


@pytest.mark.parametrize("path", ENGINE, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    parts = path.relative_to(ROOT / "microgradnd").with_suffix("").parts
    if parts[0] not in LAYERS:
        return
    here = LAYERS.index(parts[0])
    for name, at_import in imports(path):
        pieces = name.split(".")
        if pieces[0] == "microgradnd" and len(pieces) > 1 and pieces[1] in LAYERS and at_import:
            there = LAYERS.index(pieces[1])
            assert there <= here or {parts[0], pieces[1]} == {"dispatch", "ops"}, f"{path.name} imports {name}"


def test_importing_stays_light() -> None:
    code = "import sys, microgradnd, microgradnd.nn; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.split()
    assert not OPTIONAL & set(loaded)


def code_lines(path: Path) -> int:
    """Lines that hold code: no blank ones, comments or docstrings."""
    text = path.read_text(encoding="utf-8")
    nothing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type not in nothing]
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = [
        n.body[0] for n in ast.walk(ast.parse(text)) if isinstance(n, documented) and ast.get_docstring(n) is not None
    ]
    prose = {line for d in docstrings for line in range(d.lineno, (d.end_lineno or d.lineno) + 1)}
    return len({line for t in tokens for line in range(t.start[0], t.end[0] + 1)} - prose)


def test_the_mechanism_can_be_read_in_one_sitting() -> None:
    lines = {name: code_lines(ROOT / "microgradnd" / f"{name}.py") for name in ("core", "backward", "tensor")}
    assert sum(lines.values()) <= 600, lines
