"""What the documentation says of the repository is so: files it names exist, commands are those of CI."""

import re
from pathlib import Path

import pytest

import microgradnd as mg
from microgradnd import nn

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(
        r"\]\((?!https?:|#|mailto:)([^)#\s]+)\)|src=\"([^\"]+)\"|^```\{literalinclude\} (\S+)", text, re.M
    )
    for target in filter(None, (a or b or c for a, b, c in targets)):
        if "{" not in target and not target.startswith("reference/nn"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def test_ci_runs_what_the_readme_says() -> None:
    readme, ci = (ROOT / "README.md").read_text(encoding="utf-8"), (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert 'pip install -e ".[test]" && python -m pytest -n auto' in readme
    assert "python -m pytest -n auto" in ci
    assert '".[test]"' in ci
    assert "python -m sphinx -W" in ci


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_names_that_a_page_speaks_of_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for prefix, module in (("mg", mg), ("nn", nn)):
        for name in set(re.findall(rf"(?<![\w.]){prefix}\.([A-Za-z_]\w*)", text)) - {"Linear"}:  # PyTorch's
            assert hasattr(module, name), f"{page.name} speaks of {prefix}.{name}, which is not there"
