"""The order of the tutorial: the digits come after the lessons that lead up to them."""

DIGITS_AFTER = "plot_07"
LAST = "search_on_a_cluster.py"


def position(filename):
    """A key to sort the examples by."""
    if filename.startswith("digits"):
        return (DIGITS_AFTER, 1, len(filename))
    return ("z" if filename == LAST else filename[: len(DIGITS_AFTER)], 0, 0)
