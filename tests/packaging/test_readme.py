from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from truestep.fast.discovery import load
from truestep.fast.protocol import Group, OptimizerBackend, Slot
from truestep.reference.optimizers import adamw

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_readme_s_backend_is_complete(tmp_path: Path) -> None:
    """The README's my_backend.py loads as it stands, steps as declared, and writes no input."""
    (source,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    path = tmp_path / "my_backend.py"
    path.write_text(source)
    backend: OptimizerBackend = load(f"{path}:Backend")
    (capability,) = backend.capabilities()

    hyper = adamw.Hyper(lr=0.5, beta1=0.5, beta2=0.75, eps=0.0, **capability.dialect)
    one = np.ones(3, np.float32)
    one.setflags(write=False)
    zero = np.zeros(3, np.float32)
    slot = Slot(param=one, grad=one, state={"t": 0, "m": zero, "v": zero})
    ((stepped,),) = backend.optimizer_step(capability, [Group(hyper, [slot])])

    assert stepped.state["t"] == 1
    # Powers of two: exact in float32 and in the reference.
    assert stepped.state["m"].tolist() == [0.5] * 3
    assert stepped.state["v"].tolist() == [0.25] * 3
    # 1 (1 - lr weight_decay) - lr, the decay rounded once.
    assert stepped.param.tolist() == [float(np.float32(0.995) - np.float32(0.5))] * 3
