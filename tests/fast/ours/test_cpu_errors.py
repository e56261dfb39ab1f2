"""What the C++ kernels refuse: every error shows the offending value and the limit."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from truestep.fast import _core
from truestep.fast.ours import storages
from truestep.fast.ours.cpu import Backend, Plan
from truestep.fast.ours.rule_kernels import kernel_for
from truestep.fast.protocol import Capability, Group, Slot
from truestep.reference.optimizers import adamw
from truestep.reference.quantizers import dynamic_8bit

ADAMW = next(c for c in Backend().capabilities() if c.rule == "adamw")
CODER = Capability("quantizer", "dynamic_8bit")
HYPER = adamw.Hyper(decay="before")


def floats(n: int = 8) -> Any:
    """n ones."""
    return np.ones(n, np.float32)


def plan(**changed: Any) -> Plan:
    """A plan of AdamW over one tensor of 8 elements, with some of its lists replaced."""
    lists: dict[str, Any] = {name: [floats()] for name in ("params", "grads", "m", "v")}
    lists |= changed
    params, grads = lists.pop("params"), lists.pop("grads")
    return Plan("adamw", params, grads, lists)


def overlapping() -> Plan:
    """A plan whose m shares half of its memory with its parameter."""
    buffer = floats(12)
    return plan(params=[buffer[:8]], m=[buffer[4:]])


def read_only() -> Plan:
    """A plan whose m cannot be written."""
    x = floats()
    x.flags.writeable = False
    return plan(m=[x])


def plan_8bit(block_size: int, absmax: int) -> Plan:
    """A plan over 100 elements with that many absmaxima of m."""
    kept = {"m": storages.dynamic_8bit_kept(True, block_size)}
    state = {"m_code": [np.zeros(100, np.uint8)], "m_absmax": [floats(absmax)], "v": [floats(100)]}
    return Plan("adamw", [floats(100)], [floats(100)], state, kept=kept)


def called(**changed: Any) -> Any:
    """A call of the extension's step on AdamW over one tensor of 8 elements, with changes."""
    arrays = [floats() for _ in range(4)]
    given: dict[str, Any] = {
        "kernel": kernel_for("adamw", HYPER).place,
        "storages": [storages.NUMBERS["float32"].storage] * 4,
        "addresses": np.array([[x.ctypes.data * k] for x in arrays for k in (1, 0)]),
        "sizes": np.array([8]),
        "rows": np.zeros(1, np.int32),
        "hyper": np.full((1, 6), 0.5),
        "steps": np.ones(1),
        "numbers": np.zeros((1, 0)),
    }
    return _core.step(**{**given, **changed})


def backend_step(**changed: Any) -> Any:
    """A step of the backend with some of its arrays replaced."""
    parts: dict[str, Any] = {"param": floats(), "grad": floats(), "m": floats(), "v": floats()}
    parts |= changed
    slot = Slot(parts["param"], parts["grad"], {"t": 0, "m": parts["m"], "v": parts["v"]})
    return Backend().optimizer_step(ADAMW, [Group(HYPER, [slot])])


def stored_step(**hypers: Any) -> Any:
    """A step of the backend on moments that are stored so."""
    capability = next(
        c for c in Backend().capabilities() if (c.rule, c.variant) == ("adamw", "8bit")
    )
    storage = {k: dynamic_8bit.Hyper(signed=k == "m", **fields) for k, fields in hypers.items()}
    slot = Slot(floats(), floats(), {})
    return Backend().optimizer_step(capability, [Group(HYPER, [slot], storage)])


def broken_map(change: Callable[[Any], None]) -> Any:
    """The signed map after a change of its values."""
    values = dynamic_8bit.all_values(dynamic_8bit.Hyper()).astype(np.float32)
    change(values)
    return _core.DynamicMap(values)


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "address rows": (
        lambda: called(addresses=np.zeros((6, 1), np.int64)),
        ValueError,
        "addresses must have 8 entries, got 6",
    ),
    "block size": (
        lambda: plan_8bit(100, 1),
        ValueError,
        "block_size must be a power of two from 1 to 4096, got 100",
    ),
    "dialect": (
        lambda: plan().step(adamw.Hyper(decay="before", eps_placement="inside"), 1),
        ValueError,
        "no kernel of adamw serves Hyper(",
    ),
    "dtype of gradient": (
        lambda: backend_step(grad=np.ones(8)),
        TypeError,
        "grads[0] must be float32, got float64",
    ),
    "dtype of parameter": (
        lambda: plan(params=[np.ones(8)]),
        TypeError,
        "params must be float32, bfloat16, float16, got float64",
    ),
    "hyperparameters of the row": (
        lambda: called(hyper=np.zeros((1, 5))),
        ValueError,
        "hyper[0] must have 6 entries, got 5",
    ),
    "kernel": (lambda: called(kernel=10**6), ValueError, "there is no kernel 1000000"),
    "missing address": (
        lambda: called(addresses=np.zeros((8, 1), np.int64)),
        ValueError,
        "addresses[0][0] must be a multiple of 4 and not zero, got 0",
    ),
    "normalise": (
        lambda: Backend().encode(CODER, dynamic_8bit.Hyper(normalise="reciprocal"), floats()),
        ValueError,
        "normalise must be 'divide' for the cpu kernels, got 'reciprocal'",
    ),
    "overlap": (overlapping, ValueError, "m[0] must not overlap params[0], got 16 shared bytes"),
    "row": (
        lambda: called(rows=np.ones(1, np.int32)),
        ValueError,
        "rows[0] must lie in [0, 1), got 1",
    ),
    "storage": (lambda: _core.Storage("float31"), ValueError, "storage must be one of float32"),
    "t": (lambda: plan().step(HYPER, 0), ValueError, "steps[0] must be >= 1, got 0"),
    "absmax count": (
        lambda: plan_8bit(64, 3),
        ValueError,
        "m_absmax[0] must have 2 elements, got 3",
    ),
    "array kind": (lambda: plan(v=[[1.0] * 8]), TypeError, "v[0] must be a NumPy array, got list"),
    "instruction set": (
        lambda: _core.set_instruction_set("mmx"),
        ValueError,
        "instruction set must be one of baseline",
    ),
    "list length": (lambda: plan(m=[]), ValueError, "m must hold 1 tensors, got 0"),
    "map not ascending": (
        lambda: broken_map(lambda q: q.__setitem__(3, q[4])),
        ValueError,
        "values must ascend strictly",
    ),
    "map too fine": (
        lambda: broken_map(lambda q: q.__setitem__(slice(250, 255), np.linspace(0.997, 0.999, 5))),
        ValueError,
        "no two thresholds share 7 bits",
    ),
    "map unevenly spaced": (
        lambda: broken_map(lambda q: q.__setitem__(slice(192, 255), np.geomspace(0.11, 0.99, 63))),
        ValueError,
        "values must be evenly spaced between powers of ten",
    ),
    "map without zero": (
        lambda: broken_map(lambda q: q.__setitem__(127, 1e-8)),
        ValueError,
        "values must hold 0",
    ),
    "negative threads": (
        lambda: plan().step(HYPER, 1, -2),
        ValueError,
        "threads must be >= 0, got -2",
    ),
    "read-only": (read_only, ValueError, "m[0] must be writable"),
    "size of gradient": (
        lambda: backend_step(grad=floats(7)),
        ValueError,
        "grads[0] must have 8 elements, got 7",
    ),
    "steps per tensor": (
        lambda: plan().step(HYPER, [1, 2]),
        ValueError,
        "hyper and t must have 1 entries, got 1 and 2",
    ),
    "strides": (
        lambda: plan(grads=[floats(16)[::2]]),
        ValueError,
        "grads[0] must be C-contiguous and aligned, got strides (8,)",
    ),
    "ties": (
        lambda: stored_step(m={"ties": "even"}),
        ValueError,
        "ties must be 'lower' for the cpu kernels, got 'even'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    """The call raises before anything is written, and says what was wrong."""
    call, kind, message = REFUSED[case]
    with pytest.raises(kind, match=re.escape(message)):
        call()
