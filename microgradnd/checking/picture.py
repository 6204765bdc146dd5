"""The map of errors over each input, drawn with matplotlib."""

from __future__ import annotations

from typing import Any

import numpy as np

from .report import InputResult, Report
from .verdict import KINK, UNCLEAR, WRONG


def draw_errors(report: Report) -> Any:
    """A panel per input: relative errors in colour, wrong elements outlined, kinks and unclear ones marked."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError('report.plot() draws with matplotlib: pip install "microgradnd[train]"') from None
    inputs = report.inputs
    columns = min(len(inputs), 3) or 1
    rows = -(-len(inputs) // columns) or 1
    figure = Figure(figsize=(4.2 * columns + 0.8, 3.6 * rows), layout="constrained")
    figure.suptitle(f"{report.function}: {'right' if report else 'wrong'}", color="tab:green" if report else "tab:red")
    panels = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
    image = None
    for panel, x in zip(panels, inputs, strict=False):
        image = _draw_input(panel, x)
    for panel in panels[len(inputs) :]:
        panel.set_axis_off()
    if image is not None:
        bar = figure.colorbar(image, ax=list(panels), pad=0.03)
        bar.set_label("log10 of the relative error", fontsize="small")
    return figure


def _draw_input(panel: Any, x: InputResult) -> Any:
    """One map: rows and columns are the input's last axis against all others."""
    shape = x.analytic.shape
    width = shape[-1] if shape else 1
    errors = x.errors().reshape(-1, width) if x.analytic.size else np.full((1, 1), np.nan)
    with np.errstate(divide="ignore"):
        powers = np.clip(np.log10(np.where(np.isinf(errors), 1e3, errors)), -16, 0)
    image = panel.imshow(powers, vmin=-16, vmax=0, cmap="viridis", aspect="auto", interpolation="nearest")
    panel.set_facecolor("0.85")  # what was not looked at alone
    marks = (
        (WRONG, "s", "tab:red", "wrong"),
        (KINK, "^", "deepskyblue", "kink, accepted"),
        (UNCLEAR, "x", "tab:orange", "can't be told"),
    )
    for kind, marker, colour, label in marks:
        found = np.array(x.of(kind), dtype=int)
        if found.size:
            fill = "none" if marker == "s" else colour
            panel.scatter(found % width, found // width, 60, marker=marker, label=label, **_paint(marker, colour, fill))
    if panel.get_legend_handles_labels()[0]:
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, fontsize="small", frameon=False)
    panel.set_title(f"{x.name} {shape}", fontsize="medium")
    panel.set_xlabel("last axis")
    panel.locator_params(integer=True)
    if len(shape) < 2:
        panel.set_yticks([])
    else:
        panel.set_ylabel("first axis" if len(shape) == 2 else "all other axes")
    return image


def _paint(marker: str, colour: str, fill: str) -> dict[str, Any]:
    return {"c": colour} if marker == "x" else {"facecolors": fill, "edgecolors": colour, "linewidths": 1.5}
