"""Nested tuples, lists and dicts as a flat list of leaves, and back.

What is no tuple, list or dict is a leaf; None is an empty place, as in an absent bias.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any


def leaves(tree: Any) -> list[Any]:
    """The leaves, in order.

    >>> leaves({"W": 1, "b": (2, [3], None)})
    [1, 2, 3]
    """
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, tuple | list):
        return [] if tree is None else [tree]
    return [leaf for child in tree for leaf in leaves(child)]


def rebuild(like: Any, new: Iterable[Any]) -> Any:
    """A tree of the same build with other leaves.

    >>> rebuild({"W": 1, "b": (2, [3], None)}, "xyz")
    {'W': 'x', 'b': ('y', ['z'], None)}
    """
    return _rebuild(like, iter(new))


def _rebuild(like: Any, new: Iterator[Any]) -> Any:
    if isinstance(like, dict):
        again = {} if type(like) is dict else copy.copy(like)  # an OrderedDict or defaultdict stays one
        for key, child in like.items():
            again[key] = _rebuild(child, new)
        return again
    if isinstance(like, tuple | list):
        children = [_rebuild(child, new) for child in like]
        if hasattr(like, "_fields"):  # a named tuple
            return type(like)(*children)
        return tuple(children) if isinstance(like, tuple) else children
    return None if like is None else next(new)


def aligned(like: Any, other: Any, what: str) -> list[Any]:
    """The leaves of `other`, in the order of `like`'s, or ValueError if it is not built like it.

    Parameters
    ----------
    what
        What to call `other` in the error.

    >>> aligned({"W": 0, "b": 0}, {"b": 1, "W": 2}, "the tangent")
    [2, 1]
    """
    if isinstance(like, dict):
        if not isinstance(other, dict) or set(like) != set(other):
            raise ValueError(f"{what} is {_build(other)}, expected {_build(like)}")
        return [leaf for key, child in like.items() for leaf in aligned(child, other[key], f"{what}[{key!r}]")]
    if isinstance(like, tuple | list):
        if not isinstance(other, tuple | list) or len(like) != len(other):
            raise ValueError(f"{what} is {_build(other)}, expected {_build(like)}")
        pairs = zip(like, other, strict=True)
        return [leaf for i, (child, o) in enumerate(pairs) for leaf in aligned(child, o, f"{what}[{i}]")]
    if like is None:
        return []
    if isinstance(other, tuple | list | dict) or other is None:
        raise ValueError(f"{what} is {_build(other)}, expected one array")
    return [other]


def _build(tree: Any) -> str:
    if isinstance(tree, dict):
        return f"a dict with keys {list(tree)}"
    if isinstance(tree, tuple | list):
        return f"a {type(tree).__name__} of {len(tree)}"
    return "None" if tree is None else f"one {type(tree).__name__}"
