"""Files of named arrays that are whole or not there: safetensors, written atomically, read with suspicion.

The container is safetensors: a length, a JSON header, raw bytes; nothing in it is ever executed. A file is written
beside its place under another name, flushed to the disk and only then renamed, so that at any moment the path
holds the old file or the new one, whole (Pillai et al., "All file systems are not created equal", OSDI 2014).
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
import stat
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
AnyPath = str | bytes | os.PathLike[Any]

CHECKSUM = "crc32"  # the metadata's key of it; files of others have none

# What a file that isn't ours begins with, and what it then is.
_SIGNATURES = {
    b"PK\x03\x04": "a zip archive (a PyTorch .pt or a NumPy .npz file?)",
    b"\x93NUMPY": "a NumPy .npy file",
    b"\x80\x02": "a Python pickle",
    b"\x80\x03": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
    b"\x89HDF": "an HDF5 file (a Keras .h5 model?)",
    b"\x1f\x8b": "a gzip archive",
    b"<!DOCTYPE": "a web page (a download that failed?)",
    b"<html": "a web page (a download that failed?)",
    b"<!doctype": "a web page (a download that failed?)",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself: run `git lfs pull`",
    b"GGUF": "a GGUF file",
}


def write_arrays(path: AnyPath, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write named arrays and text to a safetensors file, atomically.

    Parameters
    ----------
    path
        Where; a symbolic link stays one, and an existing file's permissions stay.
    arrays, metadata
        What.

    Raises
    ------
    TypeError
        For an array of a dtype that such files don't hold.
    OSError
        If it can't be written; what was at `path` before is still there, whole.
    """
    try:
        from safetensors.numpy import save
    except ImportError as error:
        raise ImportError('saving needs safetensors: pip install "microgradnd[train]"') from error
    # The writer dumps an array's buffer as it lies in memory: only C order is right (not ascontiguousarray,
    # which turns a zero-dimensional array into one of shape (1,)).
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
            raise TypeError(
                f"{name} has dtype {array.dtype}, which safetensors files don't hold: convert it, to float64 say"
            )
    ordered = {name: np.asarray(array, array.dtype.newbyteorder("<"), order="C") for name, array in arrays.items()}
    write_atomically(path, save(ordered, {**metadata, CHECKSUM: _checksum(ordered, metadata)}))


def read_arrays(path: AnyPath) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays and the text of a safetensors file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no whole safetensors file; the text says what it looks like.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise ImportError('loading needs safetensors: pip install "microgradnd[train]"') from error
    file = as_path(path)
    with file.open("rb") as opened:
        head = opened.read(64)
    try:
        with safe_open(file, framework="numpy") as opened:
            _check_names(file)  # only now: the length of the header is known to be right
            arrays = {key: np.array(opened.get_tensor(key)) for key in opened.keys()}  # noqa: SIM118
            metadata = dict(opened.metadata() or {})
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{str(file)!r} holds numbers that NumPy has no dtype for ({error}): convert them") from None
    except (SafetensorError, KeyError, ValueError) as error:
        raise ValueError(
            f"{str(file)!r} is no whole safetensors file: it looks like {_recognise(head, file.stat().st_size)} ({error})"
        ) from None

    if metadata.pop(CHECKSUM, None) not in (None, _checksum(arrays, metadata)):
        raise ValueError(
            f"{str(file)!r} is damaged: its contents don't fit the checksum they were saved with; take another copy. "
            f"(A program that changes such a file leaves {CHECKSUM!r} out of its metadata.)"
        )
    return arrays, metadata


def _checksum(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> str:
    """A number that a flipped bit in text, name, shape or content changes."""
    described = [(name, array.dtype.str, array.shape) for name, array in sorted(arrays.items())]
    total = zlib.crc32(repr((sorted(metadata.items()), described)).encode("utf-8", "surrogatepass"))
    for _, array in sorted(arrays.items()):
        total = zlib.crc32(array.reshape(-1).view(np.uint8).data, total)
    return f"{total:08x}"


def _check_names(file: Path) -> None:
    """Refuse a header that gives one name twice: readers differ in which of the two they believe."""
    with file.open("rb") as opened:
        header = opened.read(int.from_bytes(opened.read(8), "little"))
    json.loads(header, object_pairs_hook=_without_twins)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twin = next(name for i, (name, _) in enumerate(pairs) if name in dict(pairs[:i]))
        raise ValueError(f"the header gives {twin!r} twice")
    return found


def _recognise(head: bytes, size: int) -> str:
    """What a file that begins like this seems to be."""
    if not head:
        return "an empty file"
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            return kind
    length = int.from_bytes(head[:8], "little")
    if head[8:9] == b"{" and length + 8 <= size:
        return "a safetensors file that was cut off, or whose header was damaged"
    if head[8:9] == b"{":
        return f"a safetensors file that was cut off: {size} bytes, of which the header alone would be {length}"
    return f"something else: it begins with {head[:8]!r}"


def as_path(path: AnyPath) -> Path:
    """A path, its ``~`` the user's home; or an error that says what a path is."""
    try:
        text = os.fsdecode(path)
    except TypeError:
        raise TypeError(f"{path!r} is no path: give text or a pathlib.Path") from None
    if not text:
        raise ValueError("the path is empty: give the name of a file or folder ('.' for the one you are in)")
    return Path(os.path.expanduser(text))  # noqa: PTH111 - which leaves ~ alone where there is no home


def write_atomically(path: AnyPath, content: bytes) -> None:
    """Replace the file at `path` by one of this content: wholly, or not at all."""
    target = as_path(path).resolve()  # through symbolic links, so that they stay
    if os.fsdecode(path).endswith(("/", os.sep)):
        raise _names_folder(target)
    old = _stat_regular(target)
    _sweep(target)
    temporary = target.with_name(f"{_prefix(target)}{os.getpid()}-{secrets.token_hex(4)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(temporary, flags, 0o666), "wb") as file:
            if old is not None:
                _keep_permissions(temporary, old)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)  # not there, if what was raised came right after the renaming
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):  # a full disk doesn't say where
            error.filename = str(target)
        raise
    _sync_folder(target.parent)


def _stat_regular(target: Path) -> os.stat_result | None:
    try:
        found = target.stat()
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise FileNotFoundError(f"there is no folder '{target.parent}' to save in: make it first") from None
        return None
    if stat.S_ISDIR(found.st_mode):
        raise _names_folder(target)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(f"'{target}' is a device or pipe, and can't be replaced by a file")
    return found


def _names_folder(target: Path) -> IsADirectoryError:
    return IsADirectoryError(f"'{target}' is a folder: give a file in it, such as '{target / 'model.safetensors'}'")


def _keep_permissions(path: Path, old: os.stat_result) -> None:
    if hasattr(os, "chown"):
        with _where_possible():  # only a privileged user gives files away: else the new file is the writer's
            os.chown(path, old.st_uid, old.st_gid)
    with _where_possible():
        path.chmod(stat.S_IMODE(old.st_mode))


def _prefix(target: Path) -> str:
    """How the temporary files of `target` begin that are written on this host."""
    return f".{target.name[:80]}.{socket.gethostname()[:40]}-"


def _sweep(target: Path) -> None:
    """Remove what processes of this host that died while writing `target` have left."""
    if os.name == "nt":  # there, asking whether a process lives could end it
        return
    prefix = _prefix(target)
    for found in target.parent.iterdir():
        owner = found.name[len(prefix) :].split("-")[0]
        ours = found.name.startswith(prefix) and found.suffix == ".tmp" and owner.isdigit()
        if ours and not _is_alive(int(owner)):
            found.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself durable, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with _where_possible():
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _where_possible() -> Iterator[None]:
    """Go on if the file system has no such thing as what is asked: some of those in networks and clouds."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.ENOSYS):
            raise
