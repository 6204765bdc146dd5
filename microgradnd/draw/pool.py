"""The arrays of a page, each kept once: whole where there is room, else a corner and what can be said of the rest."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import Any, NamedTuple

import numpy as np

from .arrays import summarise

CORNERS = (
    (16, 16),
    (4, 4),
)  # rows and columns that are shown of an array that isn't kept whole, or where space is scarce
MOST = 250_000  # numbers of an array beyond which there is no use in holding on to it
_CODES = {"f4": "<f4", "f8": "<f8", "i4": "<i4"}  # as JavaScript's typed arrays have them


class Pool:
    """Arrays by number, copied as they are now: parameters change in place while a network is filmed."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._kept: list[list[Form]] = []

    def add(self, array: np.ndarray) -> int:
        """The number of an array: a new one, or that of an equal array."""
        code = _code(array)
        content = np.asarray(array, dtype=_CODES[code], order="C")
        known = array.shape, array.dtype.name, hashlib.blake2b(content.tobytes(), digest_size=16).digest()
        if known not in self._numbers:
            self._numbers[known] = len(self._kept)
            self._kept.append(_forms(array, content, code))
        return self._numbers[known]

    def as_json(self, room: int) -> list[dict[str, Any]]:
        """All of them in about `room` characters, once compressed: the small ones whole, so that as many as can be are.

        Each has `shape`, `dtype`, and its numbers in C order as base64 of `code`; one that isn't whole has the
        `corner` it is cut to, rows and columns, and the range and mean of all of it; where there is room a coarse `grid`.
        """
        chosen = [forms[-1] for forms in self._kept]
        room -= sum(form.cost for form in chosen)
        order = sorted(range(len(chosen)), key=lambda i: self._kept[i][0].cost)
        for rank in range(max(map(len, self._kept), default=0)):
            for i in order:
                better, now = self._kept[i][min(rank, len(self._kept[i]) - 1)], chosen[i]
                if now is self._kept[i][-1] and better.cost - now.cost <= room:
                    room -= better.cost - now.cost
                    chosen[i] = better
        return [form.content for form in chosen]


class Form(NamedTuple):
    """An array as JSON can say it, and about how many characters of a compressed page that takes."""

    content: dict[str, Any]
    cost: int


def _forms(array: np.ndarray, content: np.ndarray, code: str) -> list[Form]:
    """An array as it can be kept, from all of it to the least that can be shown."""
    head = {"shape": list(array.shape), "dtype": array.dtype.name, "code": code}
    forms = [_form(head, content)] if array.size <= MOST else []
    for k, corner in enumerate(CORNERS):
        part = _corner(content, *corner)
        if part.size < array.size:
            s = summarise(array)
            about = {"least": s.least, "greatest": s.greatest, "mean": s.mean, "odd": s.odd}
            grid = [[v if np.isfinite(v) else None for v in row] for row in s.grid or ()] if not k else []
            forms.append(_form(head | about | {"corner": list(part.shape), "grid": grid}, part))
    return forms


def _form(about: dict[str, Any], shown: np.ndarray) -> Form:
    data = np.ascontiguousarray(shown).tobytes()
    cost = (len(zlib.compress(data, 1)) + len(str(about)) // 3) * 4 // 3
    return Form(about | {"data": base64.b64encode(data).decode()}, cost)


def _code(array: np.ndarray) -> str:
    if array.dtype.kind == "f":
        return "f4" if array.dtype.itemsize <= 4 else "f8"
    small = array.dtype.kind == "b" or not array.size or max(abs(int(array.min())), abs(int(array.max()))) < 2**31
    return "i4" if small else "f8"


def _corner(array: np.ndarray, rows: int, columns: int) -> np.ndarray:
    if array.ndim < 2:
        return array.reshape(1, -1)[:, : rows * columns]
    return array.reshape(-1, array.shape[-1])[:rows, :columns] if array.size else array.reshape(0, 0)
