"""`mg.draw` and `mg.explain`: the two doors to this package, which load what they need when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import Node

if TYPE_CHECKING:
    from .drawing import Drawing


def draw(
    tensor: Node,
    values: bool = True,
    grads: bool = True,
    group: bool = True,
    *,
    depth: int | None = None,
    dark: bool | None = None,
) -> Drawing:
    """Draw the graph behind a tensor, with its values, gradients and local derivatives.

    Works before and after `backward`: the gradients come from a backward pass of the drawing's own, which
    touches no ``.grad``. A tensor whose data was changed since it was recorded is marked as such.

    Parameters
    ----------
    tensor
        Any tensor. For one of several elements the gradients are those of its sum.
    values, grads
        Whether to show arrays; whether to show gradients and local derivatives.
    group
        Whether to draw boxes around layers and scopes.
    depth
        How many levels of layers are open: 0 closes the outermost into one box each, 1 shows what is inside
        those, and so on. None: all, or as many as keep the picture small; beyond that, repeated blocks are
        folded into one.
    dark
        Light (False) or dark (True). None: light, and in an SVG whatever the reader's system prefers.

    Returns
    -------
    Drawing
        A notebook shows it; ``.save("graph.svg")`` writes it, also as .png, .pdf, .dot or .html.

    Raises
    ------
    TypeError
        For anything but a tensor.

    Examples
    --------
    >>> import microgradnd as mg
    >>> x = mg.tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> mg.draw((x * x).sum())
    <drawing of sum: 3 nodes, 3 edges; .save('graph.svg')>
    """
    from .description import describe
    from .drawing import Drawing

    _check(tensor, "draw")
    _check_depth(depth)
    description = describe(tensor, gradients=grads, depth=depth)
    return Drawing(tensor, description, dark, depth, values=values, grads=grads, group=group)


def explain(tensor: Node, *, shapes: bool = True, numbers: bool = True, depth: int | None = None) -> str:
    """The forward and the backward pass behind a tensor, step by step, as text.

    Parameters
    ----------
    tensor
        Any tensor. For one of several elements the gradients are those of its sum.
    shapes, numbers
        Whether each line of the chain rule is written out in shapes, and in numbers, too.
    depth
        How many levels of layers are open, as for `draw`; a closed layer is one step. None: op by op, of up to a
        thousand; of more, repeated blocks and layers are one step each.

    Examples
    --------
    >>> import microgradnd as mg
    >>> x = mg.tensor(3.0, requires_grad=True, name="x")
    >>> y = x * x
    >>> print(mg.explain(y, shapes=False))
    Forward: from x to y
    1. y = x * x
         numbers  9 = 3 * 3
    <BLANKLINE>
    Backward: from ∂y/∂y, which is 1
    2. back through y = x * x
       ∂y/∂x += ∂y/∂y * x      because ∂y/∂x = x
         numbers  3 = 1 * 3
         contribution 1 of 2; so far: 3
       ∂y/∂x += ∂y/∂y * x      because ∂y/∂x = x
         numbers  3 = 1 * 3
         contribution 2 of 2; complete: 6
    """
    from .explain import explain_text

    _check(tensor, "explain")
    _check_depth(depth)
    return explain_text(tensor, shapes=shapes, numbers=numbers, depth=depth)


def _check(tensor: object, function: str) -> None:
    if not isinstance(tensor, Node):
        raise TypeError(f"mg.{function} takes a tensor, such as a loss, not {type(tensor).__name__}")


def _check_depth(depth: int | None) -> None:
    if depth is not None and depth < 0:
        raise ValueError(f"depth is how many levels of layers are open, 0 or more, not {depth}")
