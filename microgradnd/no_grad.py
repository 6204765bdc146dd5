"""Computing without recording."""

from .core import mode_switch


class no_grad(mode_switch):
    """Compute without recording a graph, in this thread or task: ``with mg.no_grad(): ...``.

    Also a decorator. Results are still tensors; they require no gradient.

    Examples
    --------
    >>> import microgradnd as mg
    >>> x = mg.tensor(2.0, requires_grad=True)
    >>> with mg.no_grad():
    ...     (x * x).requires_grad
    False
    """

    def __init__(self) -> None:
        super().__init__(record=False)
