"""Nested containers: flattening, rebuilding, and saying where two are built differently."""

from collections import Counter, OrderedDict, defaultdict, namedtuple

import pytest

from microgradnd import tree

Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    "like",
    [1, (), [], {}, None, (1, [2, {"a": 3, "b": None}], ()), Point(1, (2,)), OrderedDict(b=1, a=[2, 3]), [[[[4]]]]],
    ids=map(str, range(9)),
)
def test_rebuilding_from_its_own_leaves_gives_the_same(like):
    leaves = tree.leaves(like)
    again = tree.rebuild(like, leaves)
    assert again == like
    assert tree.aligned(like, again, "it") == leaves
    assert tree.leaves(tree.rebuild(like, [x * 10 for x in leaves])) == [x * 10 for x in leaves]


def test_named_tuples_and_dicts_stay_what_they_are():
    for like in (Point(1, 2), OrderedDict(b=1, a=2), defaultdict(int, a=1, b=2), Counter(a=1, b=2)):
        again = tree.rebuild(like, [3, 4])
        assert type(again) is type(like)
        assert tree.leaves(again) == [3, 4]
        assert tree.leaves(like) in ([1, 2], [2, 1])


@pytest.mark.parametrize(
    ("like", "other", "says"),
    [
        ((1, 2), (1,), r"it is a tuple of 1, expected a tuple of 2"),
        ({"a": [1, 2]}, {"a": 1}, r"it\['a'\] is one int, expected a list of 2"),
        ({"a": 1}, {"b": 1}, r"keys \['b'\].*keys \['a'\]"),
        ([{"a": 1}], [{"a": (1, 2)}], r"it\[0\]\['a'\] is a tuple of 2, expected one array"),
        ([1], [None], r"it\[0\] is None"),
    ],
    ids=map(str, range(5)),
)
def test_a_difference_is_located(like, other, says):
    with pytest.raises(ValueError, match=says):
        tree.aligned(like, other, "it")
