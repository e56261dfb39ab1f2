"""What the C++ kernels refuse: every error shows the offending value and the limit."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from truestep.fast import _core
from truestep.fast.ours import cpu_plans
from truestep.fast.ours.cpu import AdamW, AdamW8bit, Backend
from truestep.fast.protocol import Group, Slot
from truestep.reference.optimizers import adamw
from truestep.reference.quantizers import dynamic_8bit

HYPER = adamw.Hyper(decay="before")


def floats(n: int = 8) -> Any:
    """n ones."""
    return np.ones(n, np.float32)


def plan(**changed: Any) -> AdamW:
    """A plan over one tensor of 8 elements, with some of its lists replaced."""
    lists: dict[str, Any] = {name: [floats()] for name in ("params", "grads", "m", "v")}
    return AdamW(**{**lists, **changed})


def overlapping() -> AdamW:
    """A plan whose m shares half of its memory with its parameter."""
    buffer = floats(12)
    return plan(params=[buffer[:8]], m=[buffer[4:]])


def read_only() -> AdamW:
    """A plan whose m cannot be written."""
    x = floats()
    x.flags.writeable = False
    return plan(m=[x])


def plan_8bit(block_size: int, absmax: int) -> AdamW8bit:
    """A plan over 100 elements with that many absmaxima."""
    codes = [np.zeros(100, np.uint8) for _ in range(2)]
    scales = [floats(absmax) for _ in range(2)]
    return AdamW8bit(
        [floats(100)], [floats(100)], codes[:1], scales[:1], codes[1:], scales[1:], block_size
    )


def backend_step(**changed: Any) -> Any:
    """A step of the backend with some of its arrays replaced."""
    parts: dict[str, Any] = {"param": floats(), "grad": floats(), "m": floats(), "v": floats()}
    parts |= changed
    slot = Slot(parts["param"], parts["grad"], {"t": 0, "m": parts["m"], "v": parts["v"]})
    return Backend().optimizer_step(Backend().capabilities()[0], [Group(HYPER, [slot])])


def stored_step(**hypers: Any) -> Any:
    """A step of the backend on moments that are stored so."""
    capability = next(c for c in Backend().capabilities() if c.variant == "8bit")
    storage = {k: dynamic_8bit.Hyper(signed=k == "m", **fields) for k, fields in hypers.items()}
    slot = Slot(floats(), floats(), {})
    return Backend().optimizer_step(capability, [Group(HYPER, [slot], storage)])


def broken_map(change: Callable[[Any], None]) -> Any:
    """The signed map after a change of its values."""
    values = dynamic_8bit.all_values(dynamic_8bit.Hyper()).astype(np.float32)
    change(values)
    return _core.DynamicMap(values)


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "absmax count": (
        lambda: plan_8bit(64, 3),
        ValueError,
        "m_absmax[0] must have 2 elements, got 3",
    ),
    "array kind": (lambda: plan(v=[[1.0] * 8]), TypeError, "v[0] must be a NumPy array, got list"),
    "block size": (lambda: plan_8bit(100, 1), ValueError, "block_size must be one of"),
    "block sizes that differ": (
        lambda: stored_step(m={"block_size": 64}, v={"block_size": 128}),
        ValueError,
        "block_size must be 64 for the cpu kernels, got 128",
    ),
    "block size of quantize": (
        lambda: cpu_plans.quantize(floats(), True, 96),
        ValueError,
        "block_size must be a power of two from 64 to 4096, got 96",
    ),
    "codes of quantize": (
        lambda: _core.dequantize(
            cpu_plans.dynamic_map(True), np.zeros(5, np.uint8), floats(1), floats(6), 64
        ),
        ValueError,
        "code must have 6 entries, got 5",
    ),
    "constant index": (
        lambda: _core.adamw_float32(
            *(np.array([x.ctypes.data]) for x in (floats(), floats(), floats(), floats())),
            np.array([8]),
            np.ones((1, 9), np.float32),
            np.array([1], np.int32),
        ),
        ValueError,
        "constant_index[0] must lie in [0, 1), got 1",
    ),
    "decay": (
        lambda: plan().step(adamw.Hyper(), 1),
        ValueError,
        "decay must be 'before' for the cpu kernels, got 'unscaled'",
    ),
    "dtype of gradient": (
        lambda: backend_step(grad=np.ones(8)),
        TypeError,
        "grad must be float32, got float64",
    ),
    "dtype of parameter": (
        lambda: plan(params=[np.ones(8)]),
        TypeError,
        "params must be float32 or bfloat16, got float64",
    ),
    "eps placement": (
        lambda: plan().step(adamw.Hyper(decay="before", eps_placement="inside"), 1),
        ValueError,
        "eps_placement must be 'outside' for the cpu kernels, got 'inside'",
    ),
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
    "misaligned address": (
        lambda: _core.adamw_float32(
            *(np.array([4096 + 2 * (i == 2)]) for i in range(4)),
            np.array([8]),
            np.ones((1, 9), np.float32),
            np.array([0], np.int32),
        ),
        ValueError,
        "m[0] must be a multiple of 4 and not zero, got 4098",
    ),
    "maps that differ": (
        lambda: stored_step(m={}, v={"map": "separate"}),
        ValueError,
        "map must be 'fused' for the cpu kernels, got 'separate'",
    ),
    "negative threads": (
        lambda: plan().step(HYPER, 1, -2),
        ValueError,
        "threads must be >= 0, got -2",
    ),
    "normalise": (
        lambda: Backend().encode(
            Backend().capabilities()[-1], dynamic_8bit.Hyper(normalise="reciprocal"), floats()
        ),
        ValueError,
        "normalise must be 'divide' for the cpu kernels, got 'reciprocal'",
    ),
    "overlap": (overlapping, ValueError, "m[0] must not overlap p[0], got 16 shared bytes"),
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
    "t": (lambda: plan().step(HYPER, 0), ValueError, "t must be >= 1, got 0"),
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
