"""A Sphinx extension: formulas as MathML, which browsers draw by themselves, so that the pages need no network."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.errors import ExtensionError


def mathml(formula: str, display: str) -> str:
    """One formula, or an error that shows it."""
    try:
        return str(convert(formula, display=display))
    except Exception as error:
        raise ExtensionError(f"this formula can't be written as MathML: {formula!r}") from error


def inline(writer: Any, node: nodes.math) -> None:
    """Write a formula in the text."""
    writer.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def block(writer: Any, node: nodes.math_block) -> None:
    """Write a formula on lines of its own; a blank line in it starts the next."""
    for formula in filter(str.strip, node.astext().split("\n\n")):
        writer.body.append(f'<div class="math">{mathml(formula, "block")}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
