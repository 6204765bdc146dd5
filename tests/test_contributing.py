"""The walk through of CONTRIBUTING.md runs as it stands, and its op passes as one of the registry would."""

import re
from pathlib import Path

import numpy as np

import microgradnd as mg

ROOT = Path(__file__).parent.parent


def test_the_walk_through_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {"mg": mg, "np": np}
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "CONTRIBUTING.md", "exec"), names)
    op = names["softplus"]
    assert isinstance(op, mg.Op)
    assert op.samples is not None
    assert op.reference is not None
    for sample in op.samples(np.random.default_rng(0)):
        assert np.allclose(op(*sample.args), op.reference(*sample.args))
