"""DOT -> picture, by Graphviz: `dot` if it is on the PATH, otherwise the one inside pygraphviz; the same picture.

Either runs as a process of its own, started by the package graphviz, which can be stopped when it takes too long and
whose failure is an error here, not a crash.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FORMATS = ("svg", "png", "pdf")
SECONDS = 60.0
_EMBEDDED = (
    "import sys, pygraphviz; dot = sys.stdin.buffer.read().decode(); "
    "sys.stdout.buffer.write(pygraphviz.AGraph(string=dot).draw(format=sys.argv[1], prog='dot'))"
)


def render(dot: str, format: str, *, timeout: float = SECONDS, dpi: int = 144) -> bytes:
    """DOT as a picture.

    Parameters
    ----------
    dot
        Well-formed DOT.
    format
        "svg", "png" or "pdf".
    timeout
        Seconds after which Graphviz is stopped.
    dpi
        Dots per inch of a PNG.

    Raises
    ------
    ValueError
        For another format.
    ImportError
        If there is no Graphviz at all.
    TimeoutError
        If the layout took too long.
    RuntimeError
        If Graphviz failed.
    """
    if format not in FORMATS:
        raise ValueError(f"pictures are {', '.join(FORMATS)}, not {format!r}")
    if format == "png":
        dot = dot.replace("graph [", f"graph [dpi={dpi}, ", 1)
    try:
        done = _run(format, dot.encode(), timeout)
    except subprocess.TimeoutExpired:
        raise TimeoutError(
            f"Graphviz was still laying out this graph after {timeout:g} s: draw a part of it, "
            "close its layers with mg.draw(..., depth=1), or save the .dot and run `dot` on it yourself"
        ) from None
    except subprocess.CalledProcessError as error:
        raise _failure(error.returncode, error.stderr) from None
    if not done.stdout:
        raise _failure(done.returncode, done.stderr)
    return done.stdout  # type: ignore[no-any-return]


def _run(format: str, dot: bytes, timeout: float) -> Any:
    """The finished process. Not `graphviz.pipe`, which would wait for as long as it takes."""
    from graphviz import ExecutableNotFound
    from graphviz.backend.dot_command import command
    from graphviz.backend.execute import run_check

    settings: dict[str, Any] = {"input": dot, "capture_output": True, "quiet": True, "timeout": timeout}
    try:
        return run_check(command("dot", format), **settings)
    except ExecutableNotFound:
        return run_check(_embedded(format), **settings)


def _embedded(format: str) -> list[str]:
    if importlib.util.find_spec("pygraphviz") is None:
        raise ImportError(
            "drawing needs Graphviz: `pip install pygraphviz` brings it along on most platforms; "
            "otherwise install it from https://graphviz.org/download/ so that `dot` is on the PATH. "
            "`.dot` and drawing.source work without"
        )
    return [sys.executable, "-P", "-c", _EMBEDDED, format]


def _failure(status: int, told: bytes) -> RuntimeError:
    text = told.decode(errors="replace").strip()[-500:]
    return RuntimeError(f"Graphviz ended with status {status} and drew nothing: {text or 'no message'}")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file all or not at all: what was there stays until the new content is complete."""
    path = Path(os.path.realpath(path))
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        mode = path.stat().st_mode & 0o7777 if path.exists() else 0o666 & ~_umask()
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
