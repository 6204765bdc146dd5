"""Checkpoints: a training run kept in a folder, so that it survives being killed at any moment."""

from __future__ import annotations

import functools
import inspect
import re
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .archive import pack, unpack
from .arguments import as_size
from .files import AnyPath, as_path, read_arrays, write_arrays
from .schedules import Schedule

if TYPE_CHECKING:
    from .training import Training

FORMAT = "microgradnd.run.1"
FILE = "checkpoint.safetensors"


class Checkpoint:
    """The state of one `Training` in a folder: one file, so that there is no moment at which half of it is new.

    Parameters
    ----------
    folder
        Made if it isn't there.
    training
        The run to save, or to bring back to where the folder's run was.
    """

    def __init__(self, folder: AnyPath, training: Training) -> None:
        self.path = as_path(folder) / FILE
        self.training = training
        self.settings = self._settings()  # now: a schedule or a callback may change an optimiser's later
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(f"'{self.path.parent}' is a file: save_to is a folder, such as 'run/'") from None

    def resume_or_begin(self) -> None:
        """Continue the run that the folder holds; else save the start, from which it can be repeated.

        Raises
        ------
        ValueError
            If the folder holds a run of other data, model or settings, or one that is damaged; nothing is taken from
            it then.
        """
        if self.path.exists():
            self._resume()
        else:
            self.save()

    def save(self) -> None:
        """Save the run as it is now, atomically."""
        text, arrays = pack({"settings": self.settings, "state": self._state()})
        write_arrays(self.path, arrays, {"format": FORMAT, "run": text})

    def _state(self) -> dict[str, Any]:
        from .training import generators

        t = self.training
        return {
            "epoch": t.epoch,
            "step": t.step,
            "model": t.model.state_dict(),
            "optimizer": t.optimizer.state_dict(),
            "schedule": None if t.schedule is None else t.schedule.state_dict(),
            "random": [t.rng, *(found for _, _, found in generators(t.model))],
            "history": t.history.state_dict(),
            "callbacks": [callback.state_dict() for callback in t.callbacks],
        }

    def _settings(self) -> dict[str, Any]:
        """What must be the same for a run to be continued."""
        t = self.training
        return {
            "model": re.sub(" at 0x[0-9a-f]+", "", repr(t.model)),
            "weights": {name: [array.dtype.str, *array.shape] for name, array in t.model.state_dict().items()},
            "loss": _loss(t.loss),
            "optimizer": type(t.optimizer).__name__,
            "optimizer's settings": _groups(t),
            "schedule": _schedule(t.schedule),
            "schedule_per": t.schedule_per,
            "callbacks": [type(callback).__name__ for callback in t.callbacks],
            "batch_size": t.batch_size,
            "accumulate": t.accumulate,
            "clip_norm": t.clip_norm,
            "clip_value": t.clip_value,
            "seed": t.given_seed,
            "data": _fingerprint(t.X, t.y),
        }

    def _differences(self, settings: Mapping[str, Any], state: Mapping[str, Any]) -> list[str]:
        """Names of the settings in which the folder's run differs from this one."""
        other = {name for name, value in self.settings.items() if settings.get(name) != value}
        if self.settings["optimizer's settings"] == _without_params(state["optimizer"]["param_groups"]):
            other.discard("optimizer's settings")  # the very optimiser of before, as it is by now
        return sorted(other)

    def _resume(self) -> None:
        arrays, metadata = read_arrays(self.path)
        if metadata.get("format") != FORMAT:
            raise ValueError(f"'{self.path}' is not a run that nn.fit has saved: give another folder")
        try:
            run = unpack(metadata["run"], arrays)
            settings, state = run["settings"], run["state"]
            other = self._differences(settings, state)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._damaged(error) from None
        if other:
            raise ValueError(
                f"'{self.path}' holds another run, which differs in {', '.join(other)}: to continue it, give what it "
                "was begun with; to begin anew, give another folder or delete this one"
            )
        before = self._state()
        try:
            self._restore(state)
        except Exception as error:
            self._restore(before)
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> ValueError:
        return ValueError(
            f"'{self.path}' is damaged, and nothing was taken from it ({type(error).__name__}: {error}): delete it to "
            "begin anew"
        )

    def _restore(self, state: Mapping[str, Any]) -> None:
        """Bring the training to a state; an error may leave it between two."""
        from .training import generators

        t = self.training
        t.epoch, t.step = as_size(state["epoch"], "epoch", 0), as_size(state["step"], "step", 0)
        t.model.load_state_dict(state["model"])
        t.optimizer.load_state_dict(state["optimizer"])
        if t.schedule is not None:
            t.schedule.load_state_dict(state["schedule"])
        if not all(isinstance(found, np.random.Generator) for found in state["random"]):
            raise TypeError("what should be random generators is something else")
        t.rng, *kept = state["random"]
        for (module, name, _), found in zip(generators(t.model), kept, strict=True):
            setattr(module, name, found)
        t.history.load_state_dict(state["history"])
        for callback, saved in zip(t.callbacks, state["callbacks"], strict=True):
            callback.load_state_dict(saved)


def _without_params(groups: Any) -> list[dict[str, Any]]:
    return [{name: value for name, value in group.items() if name != "params"} for group in groups]


def _groups(t: Training) -> list[dict[str, Any]]:
    """The settings of the optimiser's groups, with the learning rates that a schedule started from."""
    groups = _without_params(t.optimizer.param_groups)
    if t.schedule is not None:
        groups = [group | {"lr": lr} for group, lr in zip(groups, t.schedule.base, strict=True)]
    return groups


def _loss(loss: Any) -> Any:
    """A loss's name, with the numbers and words that functools.partial fixed."""
    if isinstance(loss, functools.partial):
        return [_loss(loss.func), {name: v for name, v in loss.keywords.items() if isinstance(v, int | float | str)}]
    return getattr(loss, "__name__", type(loss).__name__)


def _schedule(schedule: Schedule | None) -> Any:
    """A schedule's class and arguments, without what changes from step to step."""
    if schedule is None:
        return None
    given = {name: getattr(schedule, name, None) for name in inspect.signature(type(schedule).__init__).parameters}
    return [type(schedule).__name__] + [
        [name, _schedule(value) if isinstance(value, Schedule) else value]
        for name, value in given.items()
        if isinstance(value, Schedule | int | float | str)
    ]


def _fingerprint(*arrays: np.ndarray) -> list[Any]:
    """Shapes, dtypes and checksums: enough to notice that the data is not the same."""
    return [[a.dtype.str, *a.shape, zlib.crc32(np.ascontiguousarray(a).data)] for a in arrays]
