"""The C++ kernels: bit for bit the written float32 rule, however they are cut, aligned and run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from truestep.fast import _core
from truestep.fast.ours import cpu_plans
from truestep.fast.ours.cpu import AdamW, AdamW8bit
from truestep.reference.optimizers import adamw
from truestep.reference.quantizers import dynamic_8bit

# Around vectors, blocks and cuts, and one tensor long enough for several threads.
SIZES = (0, 1, 7, 15, 255, 256, 257, 4095, 4097, 200_003)
HYPER = adamw.Hyper(decay="before", weight_decay=0.1)
SETS = _core.instruction_sets()

Array = NDArray[Any]
Arrays = dict[str, list[Array]]
GUARD = 80
CANARY = 0xA5


class Guarded:
    """An array at a chosen offset from a 64-byte boundary, with a guard zone on either side."""

    def __init__(self, values: Array, offset: int = 0) -> None:
        size = values.dtype.itemsize
        self.raw = np.full(values.nbytes + 2 * GUARD * 8 + 64, CANARY, dtype=np.uint8)
        start = GUARD * 8 - self.raw.ctypes.data % 64 + offset * size
        self.span = slice(start, start + values.nbytes)
        self.array: Array = self.raw[self.span].view(values.dtype).reshape(values.shape)
        self.array[...] = values

    def intact(self) -> bool:
        """Whether nothing outside of the array was written."""
        return bool(
            np.all(self.raw[: self.span.start] == CANARY)
            and np.all(self.raw[self.span.stop :] == CANARY)
        )


@contextmanager
def instruction_set(name: str) -> Iterator[None]:
    """Use the named instruction set inside the block."""
    before = _core.instruction_set()
    _core.set_instruction_set(name)
    try:
        yield
    finally:
        _core.set_instruction_set(before)


def bits(x: Array) -> bytes:
    """The bytes of x with every nan made the same."""
    if x.dtype == np.float32:
        x = np.where(np.isnan(x), np.float32(np.nan), x)
    return x.tobytes()


def wide(seed: int, n: int, low: float = -30, high: float = 18) -> Array:
    """n float32 of either sign with magnitudes spread over decades, and specials at the end."""
    rng = np.random.default_rng(seed)
    x = rng.choice([-1.0, 1.0], n) * 10.0 ** rng.uniform(low, high, n)
    special = np.array([0.0, -0.0, 1e-45, -1e-40, np.inf, -np.inf, np.nan, 3e38])
    if n > 4 * special.size:
        x[-special.size :] = special
    return x.astype(np.float32)


def adamw_in_numpy(
    constants: Array, p: Array, g: Array, m: Array, v: Array
) -> tuple[Array, Array, Array]:
    """The rule of csrc/rules/adamw.h, operation by operation in float32."""
    beta1, gradient, beta2, square, correction1, correction2, lr, decay, eps = constants
    with np.errstate(all="ignore"):
        m = beta1 * m + gradient * g
        v = beta2 * v + square * (g * g)
        update = m * correction1 / (np.sqrt(v * correction2) + eps)
        return p * decay - lr * update, m, v


def float32_inputs(seed: int) -> Arrays:
    """Parameters, gradients and moments over the whole float range."""
    return {
        "params": [wide(seed + n, n) for n in SIZES],
        "grads": [wide(seed + n + 1, n) for n in SIZES],
        "m": [wide(seed + n + 2, n) for n in SIZES],
        "v": [np.abs(wide(seed + n + 3, n)) for n in SIZES],
    }


def bfloat16_inputs(seed: int) -> Arrays:
    """The same with parameters and gradients in bfloat16."""
    inputs = float32_inputs(seed)
    with np.errstate(all="ignore"):
        for name in ("params", "grads"):
            inputs[name] = [x.astype(ml_dtypes.bfloat16) for x in inputs[name]]
    return inputs


def inputs_8bit(seed: int) -> Arrays:
    """The same with random codes, and an absmax per block that is sometimes zero."""
    rng = np.random.default_rng(seed)
    inputs = {k: v for k, v in float32_inputs(seed).items() if k in ("params", "grads")}
    for name in ("m", "v"):
        inputs[f"{name}_code"] = [rng.integers(0, 256, n).astype(np.uint8) for n in SIZES]
        inputs[f"{name}_absmax"] = [np.abs(wide(seed, -(-n // 64), -20, 5)) for n in SIZES]
    return inputs


def plan_8bit(*args: Any) -> AdamW8bit:
    """A plan with the shortest blocks."""
    return AdamW8bit(*args, block_size=64)


RULES: dict[str, tuple[Callable[[int], Arrays], Callable[..., Any]]] = {
    "adamw_8bit": (inputs_8bit, plan_8bit),
    "adamw_bfloat16": (bfloat16_inputs, AdamW),
    "adamw_float32": (float32_inputs, AdamW),
}


def stepped(rule: str, name: str, threads: int, offset: int) -> bytes:
    """The bytes of every tensor after two steps; no guard zone may have been written."""
    make_inputs, plan = RULES[rule]
    arenas = {key: [Guarded(x, offset) for x in tensors] for key, tensors in make_inputs(1).items()}
    with instruction_set(name):
        steps = plan(*([arena.array for arena in group] for group in arenas.values()))
        steps.step(HYPER, 3, threads)
        steps.step(HYPER, 4, threads)
    assert all(arena.intact() for group in arenas.values() for arena in group)
    return b"".join(bits(arena.array) for group in arenas.values() for arena in group)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", SETS)
def test_same_bits_however_it_is_run(rule: str, name: str) -> None:
    """Instruction set, number of threads (so of cuts) and alignment never change a bit."""
    expected = stepped(rule, "baseline", 1, 0)
    for threads, offset in ((1, 0), (1, 3), (2, 1), (3, 7), (5, 0)):
        assert stepped(rule, name, threads, offset) == expected, (name, threads, offset)


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("t", [1, 2, 1000, 2**24])
def test_float32_is_the_written_rule(maximize: bool, t: int) -> None:
    """Bit for bit NumPy's float32 evaluation of the header's lines, specials included."""
    h = adamw.Hyper(decay="before", weight_decay=0.1, maximize=maximize)
    p, g, m, v = (tensors[-1] for tensors in float32_inputs(5).values())
    constants = np.array(cpu_plans.constants(h, t), dtype=np.float32)
    expected = adamw_in_numpy(constants, p, g, m, v)
    AdamW([p], [g], [m], [v]).step(h, t)
    assert [bits(x) for x in (p, m, v)] == [bits(x) for x in expected]


def test_constants_are_rounded_once_from_double() -> None:
    """In the order of the struct, each the float32 nearest to its float64 value."""
    rng = np.random.default_rng(0)
    for t in [1, 2, 7, 1000, 2**24] * 40:
        lr, decay = 10.0 ** rng.uniform(-2, 0, 2)
        h = adamw.Hyper(lr, *rng.uniform(0, 1, 2), 1e-6, decay, bool(t % 2), decay="before")
        b1, b2 = h.beta1, h.beta2
        exact = [b1, (b1 - 1 if h.maximize else 1 - b1), b2, 1 - b2, 1 / (1 - b1**t)]
        exact += [1 / (1 - b2**t), lr, 1 - lr * decay, 1e-6]
        assert cpu_plans.constants(h, t) == [float(np.float32(x)) for x in exact]


def test_maximizing_is_descending_on_the_negated_gradient() -> None:
    """Bit for bit, zeros and specials included."""
    h = adamw.Hyper(decay="before", maximize=True)
    up, down = (list(float32_inputs(7).values()) for _ in range(2))
    AdamW(*up).step(h, 2)
    down[1] = [-g for g in down[1]]
    AdamW(*down).step(adamw.Hyper(decay="before"), 2)
    for name in (0, 2, 3):
        assert [bits(x) for x in up[name]] == [bits(x) for x in down[name]]


def test_bfloat16_rounds_only_the_parameter() -> None:
    """p is the float32 result rounded once; m and v are float32 results."""
    p, g, m, v = (tensors[-1] for tensors in bfloat16_inputs(5).values())
    constants = np.array(cpu_plans.constants(HYPER, 9), dtype=np.float32)
    wide_p, m_new, v_new = adamw_in_numpy(
        constants, p.astype(np.float32), g.astype(np.float32), m, v
    )
    AdamW([p], [g], [m], [v]).step(HYPER, 9)
    with np.errstate(all="ignore"):
        expected = wide_p.astype(ml_dtypes.bfloat16)
    assert bits(p.astype(np.float32)) == bits(expected.astype(np.float32))
    assert (bits(m), bits(v)) == (bits(m_new), bits(v_new))


@pytest.mark.parametrize("block_size", dynamic_8bit.BLOCK_SIZES)
def test_8bit_moves_p_by_unquantized_moments(block_size: int) -> None:
    """p, absmax and codes follow from the decoded moments stepped in float32."""
    rng = np.random.default_rng(block_size)
    n = 3 * block_size + 17
    p, g = (rng.standard_normal(n).astype(np.float32) for _ in range(2))
    g[: 2 * block_size] *= np.float32(1e-3)
    # The extreme of a block at its end, at its beginning, and at the end of the short one.
    g[[block_size - 1, 2 * block_size, n - 1]] = 1e3
    code = {k: rng.integers(0, 256, n).astype(np.uint8) for k in "mv"}
    absmax = {k: rng.uniform(0.1, 2, 4).astype(np.float32) for k in "mv"}
    decoded = {k: cpu_plans.dequantize(code[k], absmax[k], k == "m", block_size) for k in "mv"}
    constants = np.array(cpu_plans.constants(HYPER, 4), dtype=np.float32)
    p_new, m_new, v_new = adamw_in_numpy(constants, p, g, decoded["m"], decoded["v"])
    AdamW8bit([p], [g], [code["m"]], [absmax["m"]], [code["v"]], [absmax["v"]], block_size).step(
        HYPER, 4
    )
    assert bits(p) == bits(p_new)
    for k, moment in (("m", m_new), ("v", v_new)):
        stored_code, stored_absmax = cpu_plans.quantize(moment, k == "m", block_size)
        assert bits(code[k]) == bits(stored_code)
        assert bits(absmax[k]) == bits(stored_absmax)
