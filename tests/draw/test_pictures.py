"""Pictures: their structure, what they say, and that nothing in a name can break them."""

import functools
import json
import re
import shutil
import struct
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn
from microgradnd.draw.dot import to_dot
from microgradnd.draw.entry import draw
from microgradnd.draw.render import render, write_whole
from microgradnd.draw.style import shade

HOSTILE = [
    "<script>alert(1)</script>",
    'a"]->b',
    "<lambda>",
    "a\\",
    "\\N \\G \\L",
    "&amp; &lt; &",
    "]; evil [label=x",
    "new\nline\ttab",
    "nul\x00 bell\x07 escape\x1b[31m",
    "\u202eright to left\u202c",
    "lone \ud800 surrogate",
    "\ufffe\uffff",
    "🎉 ∂ é 中",
    "node",
    "strict digraph {",
    "<b>bold</b>",
    "'single' --> <!-- comment -->",
    "x" * 100_000,
    " ",
    "{0} {x} %s",
]


def neuron():
    x = mg.tensor([1.0, 2.0], name="x")
    w = mg.tensor([-0.5, 0.75], requires_grad=True, name="w")
    h = np.tanh((w * x).sum())
    return (h - 1) ** 2


def layers():
    net = nn.MLP([2, 3, 1], activation="tanh", seed=0)
    return nn.binary_cross_entropy(net(np.ones((4, 2))), np.ones((4, 1)))


def pixels(png):
    """How many different bytes the image data of a PNG has."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    data, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += length + 12
    return len(set(zlib.decompress(data)))


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf", ".dot"])
def test_saves_what_the_suffix_says(tmp_path, suffix):
    path = mg.draw(neuron()).save(tmp_path / f"graph{suffix}")
    content = path.read_bytes()
    if suffix == ".svg":
        assert ET.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"
    elif suffix == ".png":
        assert pixels(content) > 20, "the picture is blank"
    else:
        assert content.startswith(b"%PDF" if suffix == ".pdf" else b"digraph {")
    assert list(tmp_path.iterdir()) == [path], "nothing else is left behind"


def test_dot_has_the_nodes_and_edges_of_the_graph():
    source = mg.draw(neuron()).source
    edges = sorted(line.split(" [")[0] for line in source.splitlines() if " -> " in line and line[0] == "n")
    assert edges == ["n0 -> n2", "n1 -> n2", "n2 -> n3", "n3 -> n4", "n4 -> n5", "n5 -> n6"]
    for said in ("tanh(sum₁)", "∂h/∂sum₁ = 1 - h²", "∂multiply₁/∂w = x", "(2,) float64", 'class="parameter"'):
        assert said in source


def test_the_same_graph_gives_the_same_picture():
    assert mg.draw(neuron()).source == mg.draw(neuron()).source


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_any_name_draws_as_text(name):
    odd = mg.op(lambda a: a * 2, lambda g, y, a: g * 2, name=name, formula=None)
    x = mg.tensor([1.0, 2.0], requires_grad=True, name=name)
    with mg.scope(name):
        y = odd(x) + x
    y.name = name
    drawing = mg.draw(y.sum())
    root = ET.fromstring(drawing.svg)
    tags = {part.tag.rpartition("}")[2] for part in root.iter()}
    assert tags <= {"svg", "title", "desc", "style", "g", "polygon", "polyline", "path", "text", "ellipse"}
    assert not [k for part in root.iter() for k in part.attrib if k.startswith("on") or "href" in k]
    nodes = [part for part in root.iter() if part.get("class", "").startswith("node")]
    assert len(nodes) == 4, "a node more or less: the name was taken for something"
    json.dumps(drawing.description.to_json(), allow_nan=False).encode("utf-8", "surrogatepass")
    assert "\x1b" not in mg.explain(y.sum())
    if name.isascii() and name.isprintable() and len(name) < 60 and name.strip():
        assert name in "".join(root.itertext())


@pytest.mark.parametrize("function", [functools.partial(np.multiply, 2.0), lambda a: a * 2.0])
def test_ops_of_functions_without_a_name(function):
    op = mg.op(function, lambda g, y, a: g * 2)
    ET.fromstring(mg.draw(op(mg.tensor([1.0], requires_grad=True))).svg)


def test_an_option_whose_repr_raises():
    class Hostile:
        def __repr__(self):
            raise RuntimeError("no")

    op = mg.op(lambda a, how: a * 2, lambda g, y, a, how: g * 2, name="odd")
    assert "Hostile" in mg.draw(op(mg.tensor([1.0], requires_grad=True), how=Hostile())).source


@pytest.mark.parametrize("name", ["a b'c\".svg", "-Tpng.svg", "ü;rm -rf.svg", "new\nline.svg", "$(x) `y`.SVG"])
def test_any_file_name(tmp_path, name):
    path = mg.draw(neuron()).save(tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    ET.fromstring(path.read_bytes())


def test_bad_paths_say_what_is_wrong(tmp_path):
    drawing = mg.draw(neuron())
    with pytest.raises(ValueError, match=r"not as 'graph\.jpeg'"):
        drawing.save(tmp_path / "graph.jpeg")
    with pytest.raises(ValueError, match="not as 'graph'"):
        drawing.save(tmp_path / "graph")
    with pytest.raises(FileNotFoundError, match="no directory"):
        drawing.save(tmp_path / "missing" / "graph.svg")
    with pytest.raises(TypeError, match="takes a tensor"):
        mg.draw(np.ones(2))
    with pytest.raises(TypeError, match="takes a tensor"):
        mg.explain(3.0)
    with pytest.raises(ValueError, match="depth"):
        mg.draw(neuron(), depth=-1)


def test_what_was_there_stays_until_the_new_file_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "graph.svg"
    path.write_text("old")
    drawing = mg.draw(neuron())
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        drawing.save(path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["graph.svg"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_whole(tmp_path / "link", b"1")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"1"


def test_graphviz_that_takes_too_long_or_fails_is_an_error():
    with pytest.raises(TimeoutError, match="depth=1"):
        render(mg.draw(neuron()).source, "svg", timeout=1e-4)
    with pytest.raises(RuntimeError, match="drew nothing"):
        render("digraph { broken [", "svg")
    with pytest.raises(ValueError, match="pictures are"):
        render("digraph {}", "jpg; rm")


def looks(svg):
    """What each part of a picture says and looks like, wherever it stands."""
    found = {}
    for part in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}g"):
        inside = [x for x in part.iter() if x is not part]
        texts = [x.text.strip() for x in inside if x.tag.endswith("text")]
        marks = ("fill", "stroke", "stroke-width", "stroke-dasharray")
        shapes = [[x.get(k, "").replace("transparent", "none") for k in marks] for x in inside if "fill" in x.attrib]
        found[part.get("id")] = part.get("class"), sorted(texts), sorted(shapes)
    return found


@pytest.mark.skipif(shutil.which("dot") is None, reason="no system Graphviz on this machine")
@pytest.mark.parametrize("picture", [neuron, layers])
def test_the_embedded_graphviz_draws_the_same_picture_as_dot(monkeypatch, picture):
    pytest.importorskip("pygraphviz")
    source = mg.draw(picture()).source
    system = looks(render(source, "svg"))
    monkeypatch.setenv("PATH", "")
    assert looks(render(source, "svg")) == system


def test_without_any_graphviz_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install pygraphviz"):
        render("digraph {}", "svg")


def test_text_alternatives():
    root = ET.fromstring(mg.draw(neuron()).svg)
    svg = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img"
    assert root.get("aria-label").startswith("Computation graph of")
    assert [part.tag for part in root][:2] == [f"{svg}title", f"{svg}desc"]
    titles = [t.text for t in root.iter(f"{svg}title")]
    assert any("h = tanh(sum₁)" in t and "gradient" in t for t in titles)
    assert any("∂h/∂sum₁ = 1 - h²" in t for t in titles)


def test_light_and_dark():
    loss = neuron()
    assert "prefers-color-scheme: dark" in mg.draw(loss).svg
    for dark, paper in ((False, "#ffffff"), (True, "#14181d")):
        svg = mg.draw(loss, dark=dark).svg
        assert "prefers-color-scheme" not in svg
        assert f'fill="{paper}"' in svg


def test_dark_colours_of_one_picture_leave_others_in_the_notebook_alone():
    style = next(ET.fromstring(mg.draw(neuron()).svg).iter("{http://www.w3.org/2000/svg}style")).text
    selectors = re.findall(r"[^{}]+(?=\{(?:fill|stroke):)", style)
    assert len(selectors) > 30
    assert all(".microgradnd-adaptive" in s for s in selectors)
    assert ET.fromstring(mg.draw(neuron()).svg).get("class") == "microgradnd-adaptive"
    assert ET.fromstring(mg.draw(neuron(), dark=False).svg).get("class") is None


def test_a_notebook_shows_it():
    drawing = draw(neuron())
    bundle = drawing._repr_mimebundle_()
    assert bundle["image/svg+xml"] == drawing._repr_svg_()
    assert "nodes" in bundle["text/plain"]


def test_what_is_shown_can_be_chosen():
    loss = neuron()
    assert "∂" not in mg.draw(loss, grads=False).source
    assert ">value<" not in mg.draw(loss, values=False).source
    with mg.scope("layer"):
        y = loss * 2
    assert "cluster" in mg.draw(y + 1).source
    assert "cluster" not in to_dot(mg.draw(y + 1).description, group=False)


@pytest.mark.parametrize(
    "value",
    [np.zeros((0,)), np.zeros((3, 0, 2)), np.array(np.nan), np.array([np.inf, -np.inf, 1e-300]), np.full(500, np.nan)],
)
def test_odd_arrays_are_drawn(value):
    x = mg.tensor(value, requires_grad=True, name="x")
    drawing = mg.draw(x * 1.0)
    ET.fromstring(drawing.svg)
    json.dumps(drawing.description.to_json(), allow_nan=False)
    mg.explain(x * 1.0)


def test_a_heat_map_of_means_uses_the_whole_scale() -> None:
    x = mg.tensor(np.random.default_rng(0).normal(size=(200, 100)), requires_grad=True, name="x")
    dot = to_dot(mg.draw(np.sin(x)).description, grads=False)
    assert any(f'BGCOLOR="{shade(end, 1.0)}"' in dot for end in (-1.0, 1.0))
