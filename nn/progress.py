"""The progress bar of `fit`: one line with loss and accuracy, and only where somebody looks at it."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

REFRESH = 0.1  # seconds between two drawings: what an eye follows, and no cost to a step


class Progress:
    """A tqdm bar over all steps of a run; nothing at all where there is no terminal and no notebook.

    Parameters
    ----------
    wanted
        Whether there shall be a bar. It also needs tqdm, and a terminal or notebook to be seen in: a log
        file never gets one.
    epochs, steps_per_epoch
        How much there is to do.
    done
        How many epochs were done before, by a run that is resumed.
    """

    def __init__(self, wanted: bool, epochs: int, steps_per_epoch: int, done: int = 0) -> None:
        self.bar: Any = None
        self.epochs, self.epoch, self.waiting, self.next = epochs, done, 0, 0.0
        if wanted and _is_watched():
            try:
                from tqdm.auto import tqdm
            except ImportError:  # a bar is a comfort: training goes on without it
                return
            self.bar = tqdm(total=epochs * steps_per_epoch, initial=done * steps_per_epoch, unit="step")

    def __bool__(self) -> bool:
        return self.bar is not None

    def step(self, measured: Mapping[str, float]) -> None:
        """One more step was done; `measured` is shown when it is time to."""
        self.waiting += 1
        now = time.monotonic()
        if now >= self.next:
            self.next = now + REFRESH
            self.show(measured)

    def show(self, measured: Mapping[str, float]) -> None:
        """Draw the bar with these measures."""
        if self.bar is not None:
            self.bar.set_description(f"epoch {min(self.epoch + 1, self.epochs)}/{self.epochs}", refresh=False)
            self.bar.set_postfix({k: v for k, v in measured.items() if k != "lr"}, refresh=False)
            self.bar.update(self.waiting)
            self.waiting = 0

    def end_epoch(self, measured: Mapping[str, float]) -> None:
        """An epoch was done, with these measures."""
        self.show(measured)
        self.epoch += 1

    def close(self) -> None:
        """Leave the bar as it is, and the line to others."""
        if self.bar is not None:
            self.bar.refresh()
            self.bar.close()


def _is_watched() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    in_notebook = any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)  # or Colab's, made of it
    return in_notebook or (sys.stderr is not None and sys.stderr.isatty())
