"""Models and runs in files: round trips, crashes, and files that are not what they seem."""

import collections
import errno
import functools
import importlib
import json
import os
import pickle
import signal
import stat
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import safetensors

import microgradnd as mg
from microgradnd import nn
from microgradnd.nn import archive
from microgradnd.nn.archive import pack, unpack
from microgradnd.nn.files import read_arrays, write_arrays


def network(seed=0):
    return nn.MLP([4, 3, 2], activation="relu", seed=seed)


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name, strict=True)


@pytest.fixture
def saved(tmp_path):
    """A model, and the file it is in."""
    model, path = network(), tmp_path / "model.safetensors"
    nn.save(model, path)
    return model, path


# -- round trips -----------------------------------------------------------------------------------
MODELS = {
    "MLP": lambda: (network(), np.ones((2, 4))),
    "float32": lambda: (nn.MLP([4, 2], dtype=np.float32, seed=0), np.ones((2, 4), np.float32)),
    "convolution": lambda: (
        nn.Sequential(nn.Conv2d(1, 2, 3, seed=0), nn.MaxPool2d(2), nn.Flatten(), nn.Dense(None, 2, seed=1)),
        np.ones((2, 1, 8, 8)),
    ),
    "statistics and dropout": lambda: (
        nn.Sequential(nn.Dense(4, 3, "gelu", seed=0), nn.BatchNorm(3), nn.Dropout(0.5, seed=1)),
        np.arange(8.0).reshape(2, 4),
    ),
    "attention": lambda: (nn.MultiHeadAttention(4, 2, causal=True, seed=0), np.ones((2, 3, 4))),
    "recurrent over words": lambda: (
        nn.Sequential(nn.Embedding(5, 4, seed=0), nn.GRU(None, 3, last=True, seed=1), nn.Dense(None, 2, seed=2)),
        np.array([[0, 4, 2]]),
    ),
    "residual": lambda: (
        nn.Sequential(nn.Residual(nn.LayerNorm(), nn.Dense(4, 4, np.tanh, seed=0), nn.silu), nn.AvgPool2d((1, 2))),
        np.ones((1, 2, 3, 4)),
    ),
    "convolution with statistics": lambda: (
        nn.Sequential(nn.Conv2d(None, 2, 3, "relu", padding="same", bias=False, seed=0), nn.BatchNorm()),
        np.arange(72.0).reshape(2, 1, 6, 6),
    ),
    "initialiser with settings": lambda: (
        nn.Dense(4, 2, init=functools.partial(nn.init.uniform, low=-1.0, high=1.0), seed=0),
        np.ones((2, 4)),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_back_as_it_was(tmp_path, name):
    model, x = MODELS[name]()
    model(x)  # layers learn their sizes, statistics move
    model.eval()
    nn.save(model, tmp_path / "m.safetensors")
    back = nn.load(tmp_path / "m.safetensors")
    assert repr(back) == repr(model)
    assert not back.training
    assert_same(model.state_dict(), back.state_dict())
    np.testing.assert_array_equal(back(x).data, model(x).data)
    assert_same(back.train().state_dict(), model.train().state_dict())
    np.testing.assert_array_equal(back(x).data, model(x).data)  # dropout goes on with the same numbers


def test_a_shared_layer_stays_shared(tmp_path):
    layer = nn.Dense(3, 3, seed=0)
    nn.save(nn.Sequential(layer, layer), tmp_path / "m")
    back = nn.load(tmp_path / "m")
    assert back.layers[0] is back.layers[1]
    assert len(back.parameters()) == 2


def test_frozen_parameters_stay_frozen(tmp_path):
    model = network()
    model.layers[0].W.requires_grad = False
    nn.save(model, tmp_path / "m")
    assert [p.requires_grad for p in nn.load(tmp_path / "m").parameters()] == [False, True, True, True]


def test_arrays_in_any_order_of_memory(tmp_path, rng):
    a = rng.normal(size=(4, 6))
    layouts = {
        "C": a, "F": np.asfortranarray(a), "T": a.T, "slice": a[1:, ::2], "reversed": a[::-1, ::-1],
        "broadcast": np.broadcast_to(a[0], (3, 6)), "scalar": np.array(2.5), "empty": np.zeros((0, 3)),
        "float32": a.astype(np.float32), "int": np.arange(3), "bool": np.array([True, False]),
    }  # fmt: skip
    write_arrays(tmp_path / "a", layouts, {})
    assert_same(read_arrays(tmp_path / "a")[0], layouts)
    write_arrays(tmp_path / "a", {"big end first": a.astype(">f8")}, {})
    assert_same(read_arrays(tmp_path / "a")[0], {"big end first": a})


def test_a_weight_in_fortran_order(tmp_path):
    model = network()
    model.layers[0].W.data = np.asfortranarray(model.layers[0].W.data)
    nn.save(model, tmp_path / "m")
    assert_same(nn.load(tmp_path / "m").state_dict(), model.state_dict())


@nn.register
class Residue(nn.Module):
    def __init__(self, size, scale=0.5):
        self.inner, self.scale = nn.Dense(size, size, twice, seed=0), scale

    def forward(self, x):
        return x + self.scale * self.inner(x)


@nn.register
def twice(x):
    return 2 * x


class Private(nn.Module):
    def __init__(self):
        self.inner = nn.Dense(2, 2, seed=3)

    def forward(self, x):
        return self.inner(x)


def test_classes_of_ones_own(tmp_path):
    nn.save(Residue(3), tmp_path / "m")
    x = np.ones((1, 3))
    np.testing.assert_array_equal(nn.load(tmp_path / "m")(x).data, Residue(3)(x).data)
    with pytest.raises(ValueError, match="already: rename"):
        nn.register(type("Dense", (nn.Module,), {}))


@pytest.mark.parametrize(
    ("thing", "error", "text"),
    [
        (3, TypeError, "neither a subclass of nn.Module nor a function"),
        ("relu", TypeError, "neither"),
        (dict, TypeError, "neither"),
        (nn.Dense(2, 2), TypeError, "neither"),
        (lambda x: x, ValueError, "a lambda has no name"),
        (functools.partial(nn.elu, alpha=2.0), ValueError, "this partial has no name"),
        (type("Dense", (nn.Module,), {}), ValueError, "rename yours"),
    ],
)
def test_what_cannot_be_registered(thing, error, text):
    with pytest.raises(error, match=text):
        nn.register(thing)


@pytest.mark.parametrize("function", [np.sin, mg.cos])
def test_functions_of_numpy_and_ops_can_be_registered(tmp_path, monkeypatch, function):
    monkeypatch.setattr(archive, "REGISTERED", {})
    assert nn.register(nn.register(function)) is function
    nn.save(nn.Dense(3, 2, function), tmp_path / "m")
    assert nn.load(tmp_path / "m").activation is function


def test_an_unregistered_class_gives_its_weights_only(tmp_path):
    model, other = Private(), Private()
    nn.save(model, tmp_path / "m")
    with pytest.raises(ValueError, match=r"'Private' was not registered.*nn\.load\(model, path\)"):
        nn.load(tmp_path / "m")
    other.inner.W.data = other.inner.W.data + 1
    assert nn.load(other, tmp_path / "m") is other
    assert_same(other.state_dict(), model.state_dict())


@pytest.mark.parametrize("array", [np.zeros(2, complex), np.array(["a"]), np.zeros(1, "M8[s]")], ids=str)
def test_dtypes_that_no_file_holds_are_named(tmp_path, array):
    model = network()
    model.extra = array
    with pytest.raises(TypeError, match=r"extra.* has dtype .*, which safetensors files don't hold"):
        nn.save(model, tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_trees_of_plain_data_come_back():
    tree = {
        "numbers": [1, -2.5, True, None, float("inf"), 1e-300], "nested": {"t": (1, ("a", [])), 3: "x", "$": "dollar"},
        "array": np.arange(4.0).reshape(2, 2), "dtype": np.dtype("float32"), "big": 2**100,
    }  # fmt: skip
    text, arrays = pack(tree)
    back = unpack(text, arrays)
    np.testing.assert_array_equal(back.pop("array"), tree.pop("array"))
    assert back == tree
    for kind in ("PCG64", "MT19937", "Philox", "SFC64"):
        rng = np.random.Generator(getattr(np.random, kind)(5))
        rng.random(3)
        twin = unpack(*pack(rng))
        np.testing.assert_array_equal(twin.random(5), rng.random(5))
    with pytest.raises(TypeError, match=r"a\.1 is object"):
        pack({"a": [1, object()]})
    with pytest.raises(TypeError, match="a is Point, which no file holds"):
        pack({"a": collections.namedtuple("Point", "x y")(1, 2)})


# -- places to write to --------------------------------------------------------------------------------
def test_links_stay_links_and_permissions_stay(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    nn.save(network(0), real)
    real.chmod(0o640)
    link.symlink_to(real)
    nn.save(network(1), link)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert_same(nn.load(real).state_dict(), network(1).state_dict())


def test_home_is_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    nn.save(network(), "~/model")
    assert_same(nn.load(Path("~/model")).state_dict(), network().state_dict())
    start("~/run", epochs=1)
    assert {p.name for p in (tmp_path / "home").iterdir()} == {"model", "run"}
    assert [p.name for p in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize("path", [str, Path, os.fsencode])
def test_paths_of_every_kind(tmp_path, path):
    nn.save(network(), path(tmp_path / "mödel 'x'"))
    assert_same(nn.load(path(tmp_path / "mödel 'x'")).state_dict(), network().state_dict())


@pytest.mark.parametrize(
    ("path", "error", "text"),
    [
        (".", IsADirectoryError, "is a folder: give a file in it"),
        ("new/", IsADirectoryError, "new' is a folder: give a file in it"),
        ("no/such/model", FileNotFoundError, "there is no folder"),
        ("/dev/full", OSError, "device or pipe"),
        ("/sys/model", PermissionError, "'/sys/model'"),  # where not even a privileged user can write
        (3.5, TypeError, "is no path"),
        ("", ValueError, "the path is empty"),
    ],
)
def test_impossible_places(tmp_path, monkeypatch, path, error, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=text):
        nn.save(network(), path)
    assert list(tmp_path.iterdir()) == []


def test_missing_file_and_wrong_first_arguments(tmp_path):
    with pytest.raises(FileNotFoundError):
        nn.load(tmp_path / "none")
    with pytest.raises(TypeError, match="expected a model"):
        nn.load(3, tmp_path / "none")
    with pytest.raises(TypeError, match="expected a model"):
        nn.save({}, tmp_path / "none")


def run(code, *arguments, check=True):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)], capture_output=True, text=True, check=check
    )


def test_a_file_that_is_mapped_into_memory_can_be_replaced(saved):
    model, path = saved
    with safetensors.safe_open(path, framework="numpy") as opened:
        nn.save(network(1), path)
        np.testing.assert_array_equal(opened.get_tensor("layers.0.W"), model.layers[0].W.data)
    assert_same(nn.load(path).state_dict(), network(1).state_dict())


@pytest.mark.parametrize(
    ("module", "call", "extra"),
    [
        ("safetensors.numpy", lambda: nn.save(network(), "m"), "train"),
        ("safetensors", lambda: nn.load("m"), "train"),
        ("matplotlib.pyplot", lambda: nn.History().plot(), "train"),
        ("sklearn.metrics", lambda: nn.plots.plot_confusion_matrix(network(), np.eye(4), [0, 1, 0, 1]), "train"),
        ("sklearn.inspection", lambda: nn.plots.plot_decision_boundary(nn.MLP([2, 2]), np.eye(2)), "train"),
        ("sklearn.base", lambda: importlib.reload(sys.modules["microgradnd.nn.estimators"]), "train"),
    ],
)
def test_what_is_missing_names_the_extra_that_brings_it(monkeypatch, module, call, extra):
    importlib.import_module("microgradnd.nn.estimators")
    importlib.import_module("microgradnd.nn.plots")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf'pip install "microgradnd\[{extra}\]"'):
        call()


def unable(number, real, spared=lambda *arguments: False):
    """A system call on a file system that has no such thing."""

    def call(*arguments, **options):
        if not spared(*arguments):
            raise OSError(number, os.strerror(number))
        real(*arguments)

    return call


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EPERM])
def test_file_systems_without_owners_modes_or_folders_that_can_be_flushed(saved, monkeypatch, number):
    _, path = saved
    monkeypatch.setattr(os, "fsync", unable(number, os.fsync, lambda fd: not stat.S_ISDIR(os.fstat(fd).st_mode)))
    monkeypatch.setattr(os, "chown", unable(number, os.chown))
    monkeypatch.setattr(os, "chmod", unable(number, os.chmod))
    nn.save(network(1), path)
    assert_same(nn.load(path).state_dict(), network(1).state_dict())


def test_a_disk_that_fails_is_told_of(saved, monkeypatch):
    _, path = saved
    monkeypatch.setattr(os, "fsync", unable(errno.EIO, os.fsync))
    with pytest.raises(OSError, match="Input/output error"):
        nn.save(network(1), path)
    assert_same(nn.load(path).state_dict(), network(0).state_dict())
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_full_disk_leaves_the_old_file(saved):
    _model, path = saved
    before = path.read_bytes()
    told = run(
        """
        import resource, sys
        from microgradnd import nn
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        try:
            nn.save(nn.MLP([4, 3, 2], seed=9), sys.argv[1])
        except OSError as error:
            print("refused", error)
        """,
        path,
    ).stdout
    assert told.startswith("refused")
    assert str(path) in told
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_two_processes_saving_at_once_leave_one_whole_file(saved):
    _, path = saved
    code = textwrap.dedent(
        """
        import sys
        from microgradnd import nn
        for _ in range(30):
            nn.save(nn.MLP([40, 30, 20], seed=int(sys.argv[2])), sys.argv[1])
        """
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), seed]) for seed in ("1", "2")]
    assert [w.wait() for w in writers] == [0, 0]
    found = nn.load(path).layers[0].W.data
    assert any(np.array_equal(found, nn.MLP([40, 30, 20], seed=s).layers[0].W.data) for s in (1, 2))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


CRASH = """
import os, signal, sys
from microgradnd import nn

path, kind = sys.argv[1], sys.argv[2]
real = os.fsync
calls = 0

def crash(fd):
    global calls
    calls += 1
    if calls == int(kind):
        os.kill(os.getpid(), signal.SIGKILL)
    real(fd)

os.fsync = crash
nn.save(nn.MLP([4, 3, 2], activation="relu", seed=1), path)
"""


@pytest.mark.parametrize(("call", "seed"), [(1, 0), (2, 1)])
def test_killed_inside_the_save(saved, call, seed):
    """Before the file is flushed the old one is there; once it is renamed, the new one."""
    _, path = saved
    assert run(CRASH, path, call, check=False).returncode == -signal.SIGKILL
    assert_same(nn.load(path).state_dict(), network(seed).state_dict())
    nn.save(network(2), path)
    assert [p.name for p in path.parent.iterdir()] == [path.name], "what the killed process left is swept"


# -- files that are not what they seem -------------------------------------------------------------------
def container(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def entry(dtype="F64", shape=(1,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


EIGHT = bytes(8)
HOSTILE = {
    "empty": (b"", "an empty file"),
    "pickle": (pickle.dumps({"a": 1}), "a Python pickle"),
    "zip": (b"PK\x03\x04" + bytes(60), "a zip archive"),
    "npy": (b"\x93NUMPY\x01\x00" + bytes(60), "a NumPy .npy file"),
    "web page": (b"<!DOCTYPE html><html></html>", "a web page"),
    "LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer"),
    "text": (b"hello, this is no model at all", "something else"),
    "header longer than file": (struct.pack("<Q", 10**6) + b"{}", "cut off"),
    "header of an exabyte": (struct.pack("<Q", 2**60) + b"{", "cut off"),
    "nested lists": (container(b"[" * 100_000), "something else"),
    "nested objects": (container(b'{"a":' * 100_000), "cut off, or whose header was damaged"),
    "NaN in the header": (container(b'{"a": NaN}'), "header was damaged"),
    "not UTF-8": (container(b'{"\xff\xfe": 1}'), "header was damaged"),
    "no such dtype": (container({"a": entry("F99")}, EIGHT), "damaged"),
    "negative shape": (container({"a": entry(shape=(-1,))}, EIGHT), "damaged"),
    "shape that overflows": (container({"a": entry(shape=(2**62, 4))}, EIGHT), "damaged"),
    "end before begin": (container({"a": entry(offsets=(8, 0))}, EIGHT), "damaged"),
    "beyond the end": (container({"a": entry(shape=(2,), offsets=(0, 16))}, EIGHT), "damaged"),
    "overlap": (container({"a": entry(), "b": entry()}, EIGHT), "damaged"),
    "hole": (container({"a": entry(offsets=(8, 16))}, bytes(16)), "damaged"),
    "trailing bytes": (container({"a": entry()}, bytes(16)), "damaged"),
    "bytes don't fit the shape": (container({"a": entry(shape=(2,))}, EIGHT), "damaged"),
    "one name twice": (
        container(f'{{"a": {json.dumps(entry())}, "a": {json.dumps(entry())}}}'.encode(), EIGHT),
        "twice",
    ),
    "two texts of one name": (container(b'{"__metadata__": {"format": "x", "format": "y"}}'), "'format' twice"),
    "a dtype that NumPy lacks": (container({"a": entry("BF16", (4,))}, EIGHT), "NumPy has no dtype for.*bfloat16"),
    "metadata no text": (container({"__metadata__": {"a": 1}}), "damaged"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_foreign_and_hostile_files_are_recognised(tmp_path, name):
    content, looks = HOSTILE[name]
    path = tmp_path / "file"
    path.write_bytes(content)
    model = network()
    for call in (lambda: nn.load(path), lambda: nn.load(model, path)):
        with pytest.raises(ValueError, match=looks):
            call()
    assert_same(model.state_dict(), network().state_dict())


def test_every_flipped_bit_is_noticed(saved):
    model, path = saved
    whole = path.read_bytes()
    key = whole.index(b'"crc32"')
    for i in range(0, len(whole), 3):
        if not key < i < key + 6:  # without the key of the checksum the rest is as it was
            path.write_bytes(whole[:i] + bytes([whole[i] ^ 1 << i % 8]) + whole[i + 1 :])
            with pytest.raises(ValueError, match=r"looks like|is damaged"):
                nn.load(model, path)
    assert_same(model.state_dict(), network().state_dict())


def test_every_truncation_is_noticed(saved):
    model, path = saved
    whole = path.read_bytes()
    for length in [*range(0, 200, 7), *range(200, len(whole), 101), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="looks like"):
            nn.load(model, path)
    assert_same(model.state_dict(), network().state_dict())


def test_weights_of_another_model_are_listed_and_nothing_is_loaded(saved):
    _, path = saved
    model = nn.MLP([4, 5, 2], seed=8)
    before = model.state_dict()
    with pytest.raises(ValueError, match=r"shape of layers\.0\.W: \(4, 3\) given, \(4, 5\) expected"):
        nn.load(model, path)
    with pytest.raises(ValueError, match=r"missing: layers\.2\.W"):
        nn.load(nn.MLP([4, 3, 2, 2]), path)
    assert_same(model.state_dict(), before)


def test_other_peoples_weights_can_be_loaded_into_a_model(tmp_path):
    write_arrays(tmp_path / "m", network(4).state_dict(), {})
    assert_same(nn.load(network(), tmp_path / "m").state_dict(), network(4).state_dict())
    with pytest.raises(ValueError, match=r"without an architecture.*nn\.save has not written it"):
        nn.load(tmp_path / "m")


ATTACKS = [
    '{"$": "module", "class": "os.system", "attributes": {}}',
    '{"$": "module", "class": "Popen", "attributes": {}}',
    '{"$": "module", "class": "relu", "attributes": {}}',
    '{"$": "module", "class": "Dense", "attributes": {"__class__": 1}}',
    '{"$": "module", "class": "Dense", "attributes": {"forward": 1}}',
    '{"$": "module", "class": "Dense", "attributes": {"a b": 1}}',
    '{"$": "module", "class": ["Dense"], "attributes": {}}',
    '{"$": "function", "name": "eval"}',
    '{"$": "function", "name": "save"}',
    '{"$": "function", "name": "Dense"}',
    '{"$": "partial", "function": {"$": "function", "name": "exec"}, "args": [], "keywords": {}}',
    '{"$": "generator", "kind": "__class__", "state": {}}',
    '{"$": "dtype", "name": "O"}',
    '{"$": "array", "key": "missing"}',
    '{"$": "same", "as": 7}',
    '{"$": "import"}',
    '{"$": 5}',
    "{",
    "[1, 2",
    "[" * 100_000,
    '{"$": "module"}',
    "3",
]


def generator_at(kind, **changes):
    """A generator's state whose place in its buffer points elsewhere, which NumPy would follow."""
    state = getattr(np.random, kind)(0).state
    plain = json.loads(json.dumps(state, default=lambda a: a.tolist() if isinstance(a, np.ndarray) else int(a)))
    (plain["state"] if "pos" in plain["state"] else plain).update(changes)
    return json.dumps({"$": "generator", "kind": kind, "state": plain})


ATTACKS += [
    generator_at("MT19937", pos=-(10**8)),
    generator_at("MT19937", pos=10**9),
    generator_at("Philox", buffer_pos=-(10**8)),
    generator_at("Philox", buffer_pos="a"),
    generator_at("PCG64", has_uint32=10**30),
    '{"$": "dtype", "name": "' + "(" * 100_000 + '"}',
]


@pytest.mark.parametrize("text", ATTACKS, ids=range(len(ATTACKS)))
def test_architectures_name_nothing_but_what_is_on_the_list(tmp_path, text):
    write_arrays(tmp_path / "m", {}, {"format": "microgradnd.model.1", "architecture": text})
    with pytest.raises(ValueError, match=r"nothing that can be built|not a model"):
        nn.load(tmp_path / "m")


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_random_generators_come_back(kind):
    rng = np.random.Generator(getattr(np.random, kind)(3))
    assert unpack(*pack(rng)).random() == rng.random()


def test_a_model_of_exponentially_many_paths_is_loaded_at_once(tmp_path):
    model = nn.Dense(2, 2, seed=0)
    for _ in range(60):
        model = nn.Sequential(model, model)
    nn.save(model, tmp_path / "m")
    assert len(nn.load(tmp_path / "m").parameters()) == 2


def test_a_model_that_contains_itself_is_refused(tmp_path):
    text = '{"$": "module", "class": "Sequential", "attributes": {"layers": [{"$": "same", "as": 0}]}}'
    write_arrays(tmp_path / "m", {}, {"format": "microgradnd.model.1", "architecture": text})
    with pytest.raises(ValueError, match=r"/m': Sequential at 'layers.0' contains itself"):
        nn.load(tmp_path / "m")


# -- runs that are resumed ---------------------------------------------------------------------------------
X = np.random.default_rng(0).normal(size=(64, 4))
Y = (X.sum(axis=1) > 0).astype(int)


def start(folder=None, epochs=6, seed=3, **changes):
    """A run with everything that has a state: momentum, schedule, dropout, early stopping."""
    dropout = nn.Dropout(changes.pop("dropout", 0.3))
    model = nn.Sequential(nn.Dense(4, 8, "relu", seed=0), nn.BatchNorm(8), dropout, nn.Dense(8, 2, seed=1))
    optimizer = changes.pop("optimizer", nn.Adam)(model.parameters(), lr=0.03)
    history = nn.fit(
        model, X, Y, optimizer=optimizer, epochs=epochs, seed=seed, save_to=folder, validation_data=(X, Y),
        schedule=changes.pop("schedule", lambda optimizer: nn.Exponential(optimizer, 0.8))(optimizer), **{"batch_size": 16} | changes,
        callbacks=[nn.EarlyStopping("val_loss", patience=2), *changes.pop("callbacks", [])],
    )  # fmt: skip
    return model.state_dict(), history


def test_a_run_in_pieces_is_the_run_in_one(tmp_path):
    for epochs in (0, 1, 3, 3):
        start(tmp_path / "run", epochs)
    weights, history = start(tmp_path / "run")
    expected, its_history = start()
    assert_same(weights, expected)
    assert dict(history) == dict(its_history)
    np.testing.assert_array_equal(history.batch_losses, its_history.batch_losses)
    assert history.stopped == its_history.stopped
    assert_same(start(tmp_path / "run")[0], expected)  # a finished run stays what it was


def test_without_a_seed_the_folder_keeps_the_random_state(tmp_path):
    start(tmp_path / "a", epochs=1, seed=None)
    (tmp_path / "b").mkdir()
    (tmp_path / "b/checkpoint.safetensors").write_bytes((tmp_path / "a/checkpoint.safetensors").read_bytes())
    assert_same(start(tmp_path / "a", seed=None)[0], start(tmp_path / "b", seed=None)[0])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"batch_size": 8}, "batch_size"),
        ({"optimizer": nn.AdamW}, "optimizer, optimizer's settings"),
        ({"optimizer": lambda parameters, lr: nn.Adam(parameters, 2 * lr)}, "optimizer's settings"),
        ({"optimizer": lambda parameters, lr: nn.Adam(parameters, lr, weight_decay=0.1)}, "optimizer's settings"),
        ({"schedule": lambda optimizer: nn.Exponential(optimizer, 0.9)}, "schedule"),
        ({"schedule": lambda optimizer: nn.WarmUp(optimizer, 3, nn.Exponential(optimizer, 0.8))}, "schedule"),
        ({"schedule_per": "step"}, "schedule_per"),
        ({"loss": functools.partial(nn.cross_entropy, label_smoothing=0.1)}, "loss"),
        ({"loss": lambda output, target: nn.cross_entropy(output, target)}, "loss"),
        ({"clip_norm": 1.0}, "clip_norm"),
        ({"dropout": 0.4}, "model"),
        ({"seed": 4}, "seed"),
        ({"seed": None}, "seed"),
    ],
    ids=range(13),
)
def test_another_run_is_not_continued(tmp_path, changes, text):
    start(tmp_path, epochs=1)
    with pytest.raises(ValueError, match=rf"differs in {text}: to continue it"):
        start(tmp_path, **changes)


def test_the_same_objects_continue_their_run_after_a_schedule_and_a_callback_changed_them(tmp_path):
    def halve(training):
        for group in training.optimizer.param_groups:
            group["momentum"] /= 2

    def run_in(folder, *pieces):
        model = nn.MLP([4, 8, 2], seed=0)
        optimizer = nn.SGD(model.parameters(), lr=0.1, momentum=0.8)
        schedule = nn.WarmUp(optimizer, 2, nn.ReduceOnPlateau(optimizer, patience=0))
        for epochs in pieces:
            nn.fit(
                model, X, Y, optimizer=optimizer, schedule=schedule, epochs=epochs, callbacks=[halve], seed=0, save_to=folder
            )  # fmt: skip
        return model.state_dict()

    assert_same(run_in(tmp_path / "pieces", 2, 3, 6), run_in(tmp_path / "whole", 6))


def test_a_disk_that_fills_up_in_the_middle_of_a_run(tmp_path):
    told = run(
        """
        import resource, sys
        import numpy as np
        from microgradnd import nn

        def fill(training):
            if training.epoch == 2:
                resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))

        def fit(folder):
            model = nn.MLP([4, 8, 2], seed=0)
            X = np.random.default_rng(0).normal(size=(64, 4))
            nn.fit(model, X, (X[:, 0] > 0).astype(int), epochs=4, seed=0, save_to=folder, callbacks=[lambda t: fill(t)], progress=False)
            return model.state_dict()

        try:
            fit(sys.argv[1])
        except OSError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        fill = lambda training: None
        resumed, whole = fit(sys.argv[1]), fit(None)
        print(all(np.array_equal(whole[name], resumed[name]) for name in whole))
        """,
        tmp_path / "run",
    ).stdout.splitlines()
    assert "checkpoint.safetensors" in told[0]
    assert told[1] == "True"


def test_a_run_is_no_model(tmp_path):
    start(tmp_path, epochs=1)
    path = tmp_path / "checkpoint.safetensors"
    for call in (lambda: nn.load(path), lambda: nn.load(network(), path)):
        with pytest.raises(ValueError, match=r"is a training run, not a model: nn\.fit with save_to"):
            call()


@pytest.mark.parametrize(("folder", "error"), [("/sys/run", PermissionError), ("/sys", PermissionError)])
def test_a_folder_that_cannot_be_written_to_is_told_of_before_the_first_step(folder, error):
    model = network()
    with pytest.raises(error, match="/sys"):
        nn.fit(model, X, Y, epochs=1, save_to=folder)
    assert_same(model.state_dict(), network().state_dict())


def test_a_foreign_file_in_the_folder(tmp_path):
    (tmp_path / "checkpoint.safetensors").write_bytes(b"<html>")
    with pytest.raises(ValueError, match="a web page"):
        start(tmp_path)
    nn.save(network(), tmp_path / "checkpoint.safetensors")
    with pytest.raises(ValueError, match="is not a run that"):
        start(tmp_path)


DAMAGES = {
    "no epochs": lambda run: run["state"].pop("epoch"),
    "half an epoch": lambda run: run["state"].update(epoch=0.5),
    "no state": lambda run: run.pop("state"),
    "a setting that is text": lambda run: run["state"]["optimizer"]["param_groups"][0].update(lr="fast"),
    "a moment of another shape": lambda run: run["state"]["optimizer"]["state"][0].update(first=np.zeros(7)),
    "one moment missing": lambda run: run["state"]["optimizer"]["state"].pop(),
    "an empty optimiser": lambda run: run["state"].update(optimizer={}),
    "a model that is a list": lambda run: run["state"].update(model=[1]),
    "no history": lambda run: run["state"].update(history=None),
    "no generators": lambda run: run["state"].update(random=3),
    "numbers for generators": lambda run: run["state"].update(random=[1, 2, 3, 4]),
    "history of text": lambda run: run["state"]["history"]["values"].update(loss="abc"),
    "best of nothing": lambda run: run["state"]["callbacks"][0].update(best=None),
    "a schedule of another kind": lambda run: run["state"]["schedule"].pop("gamma"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_nothing_is_taken_from_a_damaged_run(tmp_path, damage):
    start(tmp_path, epochs=1)
    path = tmp_path / "checkpoint.safetensors"
    arrays, metadata = read_arrays(path)
    run = unpack(metadata["run"], arrays)
    DAMAGES[damage](run)
    text, arrays = pack(run)
    write_arrays(path, arrays, metadata | {"run": text})
    models = []
    with pytest.raises(ValueError, match="is damaged, and nothing was taken from it"):
        start(tmp_path, optimizer=lambda parameters, lr: models.append(parameters) or nn.Adam(parameters, lr))
    fresh = nn.Dense(4, 8, "relu", seed=0)
    np.testing.assert_array_equal(models[0][0].data, fresh.W.data)


KILLS = """
import os, random, signal, sys, time
sys.path.insert(0, sys.argv[1])
import test_saving

folder, chance = sys.argv[2], random.Random(0)
real = os.fsync


def attempt(kill_at):
    '''One run in a child, killed by itself at its n-th flush, or from outside after a while.'''
    child = os.fork()
    if child == 0:
        calls = 0

        def crash(fd):
            nonlocal calls
            calls += 1
            if calls == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            real(fd)

        os.fsync = crash
        test_saving.start(folder, epochs=12)
        os._exit(0)
    if kill_at is None:
        time.sleep(chance.uniform(0.005, 0.08))
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


killed = sum(attempt(kill_at) != 0 for kill_at in [1, 2, 3, None, 2, None, 1, None, 4, None, 3, None, 5, None, 2])
assert killed >= 5, killed
"""


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_as_if_it_never_was(tmp_path):
    run(KILLS, Path(__file__).parent, tmp_path / "run")
    assert_same(start(tmp_path / "run", epochs=12)[0], start(epochs=12)[0])
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["checkpoint.safetensors"]


def test_a_pickled_model_is_the_same(saved):
    model, _ = saved
    assert_same(pickle.loads(pickle.dumps(model)).state_dict(), model.state_dict())
    assert isinstance(pickle.loads(pickle.dumps(model)).layers[0].W, mg.Tensor)
