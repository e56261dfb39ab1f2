"""The C++ kernels of every rule: the same bits however they are cut, aligned, kept and run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from truestep.fast import _core
from truestep.fast.ours import offered, storages
from truestep.fast.ours.cpu import Backend
from truestep.fast.ours.cpu_plans import Plan
from truestep.fast.ours.rule_kernels import RuleKernel, rule_kernels
from truestep.fast.protocol import Capability
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS, adamw
from truestep.reference.quantizers import dynamic_8bit

# Around vectors, blocks and cuts, and one tensor long enough for several threads.
SIZES = (0, 1, 7, 15, 255, 256, 257, 4095, 4097, 70_003)
HYPER = adamw.Hyper(decay="before", weight_decay=0.1)
SETS = _core.instruction_sets()
# Numbers of threads, and offsets from an alignment of 64 bytes.
CUTS = ((2, 1), (1, 3), (5, 0), (1, 7), (3, 5), (2, 1))
CODER = Capability("quantizer", "dynamic_8bit")

Array = NDArray[Any]
Arrays = dict[str, list[Array]]
SPECIAL = (0.0, -0.0, 1e-45, -1e-40, np.inf, -np.inf, np.nan, 3e38)
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
    if x.dtype.kind != "u":
        x = np.where(np.isnan(x), x.dtype.type(np.nan), x)
    return x.tobytes()


def wide(seed: int, n: int, low: float = -30, high: float = 18, *, special: bool = True) -> Array:
    """n float32 of either sign with magnitudes spread over decades, and specials at the end."""
    rng = np.random.default_rng(seed)
    x = rng.choice([-1.0, 1.0], n) * 10.0 ** rng.uniform(low, high, n)
    if special and n > 4 * len(SPECIAL):
        x[-len(SPECIAL) :] = SPECIAL
    return x.astype(np.float32)


def hyper_of(kernel: RuleKernel) -> Hyper:
    """Hyperparameters that this kernel serves, with every term alive where that is free."""
    cls = OPTIMIZERS[kernel.rule].Hyper
    alive = {"weight_decay": 0.1, "momentum": 0.9, "centered": True}
    given: dict[str, Any] = {name: x for name, x in alive.items() if name in cls.RANGES}
    for name, value in kernel.fixed.items():
        given[name] = bool(value) if isinstance(getattr(cls(), name), bool) else value
    return cls(**given, **kernel.dialect)


def inputs_of(kernel: RuleKernel, seed: int, *, coded: bool, bfloat16: bool) -> Arrays:
    """Parameters, gradients and states over the whole float range, by the names of a plan."""
    behaviour = OPTIMIZERS[kernel.rule].State.BEHAVIOUR
    # What is not finite would make all of a tensor nan that has sums.
    drawn = partial(wide, special=not kernel.sums)
    found: Arrays = {}
    for k, name in enumerate(("params", "grads", *kernel.inputs, *kernel.states)):
        numbers = [drawn(seed + k + n, n) for n in SIZES]
        nonnegative = name in behaviour and behaviour[name].nonnegative
        found[name] = [np.abs(x) for x in numbers] if nonnegative else numbers
    travels = {"params", "grads", *OPTIMIZERS[kernel.rule].FACTS.inputs} & found.keys()
    if bfloat16:
        with np.errstate(all="ignore"):
            found |= {n: [x.astype(ml_dtypes.bfloat16) for x in found[n]] for n in travels}
    rng = np.random.default_rng(seed)
    for name in offered.coded_states(kernel) if coded else ():
        del found[name]
        found[f"{name}_code"] = [rng.integers(0, 256, n).astype(np.uint8) for n in SIZES]
        found[f"{name}_absmax"] = [np.abs(drawn(seed, -(-n // 64), -20, 5)) for n in SIZES]
    return found


def plan_of(kernel: RuleKernel, tensors: Mapping[str, list[Array]]) -> Plan:
    """A plan over the tensors; states that come as codes are in the shortest blocks."""
    behaviour = OPTIMIZERS[kernel.rule].State.BEHAVIOUR
    kept = {
        name: storages.dynamic_8bit_kept(not behaviour[name].nonnegative, 64)
        for name in kernel.states
        if f"{name}_code" in tensors
    }
    state = {name: of for name, of in tensors.items() if name not in ("params", "grads")}
    numbers = {name: [0.5] * len(SIZES) for name in kernel.numbers}
    params, grads = tensors["params"], tensors["grads"]
    return Plan(kernel.rule, params, grads, state, kept=kept, numbers=numbers)


def stepped(kernel: RuleKernel, name: str, threads: int, offset: int, **how: bool) -> bytes:
    """The bytes of every tensor after two steps; no guard zone may have been written."""
    inputs = inputs_of(kernel, 1, **how)
    arenas = {key: [Guarded(x, offset) for x in tensors] for key, tensors in inputs.items()}
    with instruction_set(name):
        plan = plan_of(kernel, {key: [a.array for a in group] for key, group in arenas.items()})
        plan.step(hyper_of(kernel), 3, threads)
        plan.step(hyper_of(kernel), 4, threads)
    assert all(arena.intact() for group in arenas.values() for arena in group)
    numbers = b"".join(x.tobytes() for x in plan.numbers.values())
    return numbers + b"".join(bits(arena.array) for group in arenas.values() for arena in group)


def named(kernel: RuleKernel) -> str:
    """A readable id."""
    fixed = (f"{name}{value:g}" for name, value in kernel.fixed.items())
    return "-".join([kernel.rule, *kernel.dialect.values(), *fixed])


@pytest.mark.parametrize("kernel", rule_kernels(), ids=named)
def test_same_bits_however_it_is_run(kernel: RuleKernel) -> None:
    """Instruction set, number of threads (so of cuts) and alignment never change a bit."""
    for coded, bfloat16 in ((False, False), (False, True), (True, False)):
        run = partial(stepped, kernel, coded=coded, bfloat16=bfloat16)
        expected = run("baseline", 1, 0)
        for name, (threads, offset) in zip(SETS * 2, CUTS, strict=False):
            assert run(name, threads, offset) == expected, (name, threads, offset)


@pytest.mark.parametrize("kernel", rule_kernels(), ids=named)
def test_bfloat16_rounds_only_the_parameter(kernel: RuleKernel) -> None:
    """p is the float32 result rounded once; the states are the float32 results."""
    given = inputs_of(kernel, 5, coded=False, bfloat16=True)
    widened = {
        name: [x.astype(np.float32) if x.dtype == ml_dtypes.bfloat16 else x.copy() for x in of]
        for name, of in given.items()
    }
    for tensors in (given, widened):
        plan_of(kernel, tensors).step(hyper_of(kernel), 9)
    with np.errstate(all="ignore"):
        rounded = [x.astype(ml_dtypes.bfloat16).astype(np.float32) for x in widened["params"]]
    got = [x.astype(np.float32) for x in given["params"]]
    assert [bits(x) for x in got] == [bits(x) for x in rounded]
    for name in kernel.states:
        assert [bits(x) for x in given[name]] == [bits(x) for x in widened[name]]


@pytest.mark.parametrize(
    "kernel", [k for k in rule_kernels() if offered.coded_states(k)], ids=named
)
def test_8bit_moves_p_by_unquantized_states(kernel: RuleKernel) -> None:
    """p, absmax and codes follow from the decoded states stepped in float32."""
    behaviour = OPTIMIZERS[kernel.rule].State.BEHAVIOUR
    given = inputs_of(kernel, 3, coded=True, bfloat16=False)
    plain = {name: [x.copy() for x in of] for name, of in given.items()}
    hypers = {
        name: dynamic_8bit.Hyper(signed=not behaviour[name].nonnegative, block_size=64)
        for name in offered.coded_states(kernel)
    }
    backend = Backend()
    for name, h in hypers.items():
        codes, scales = plain.pop(f"{name}_code"), plain.pop(f"{name}_absmax")
        plain[name] = [
            backend.decode(CODER, h, {"code": code, "absmax": scale})
            for code, scale in zip(codes, scales, strict=True)
        ]
    for tensors in (given, plain):
        plan_of(kernel, tensors).step(hyper_of(kernel), 4)
    assert [bits(x) for x in given["params"]] == [bits(x) for x in plain["params"]]
    for name, h in hypers.items():
        for i, numbers in enumerate(plain[name]):
            stored = backend.encode(CODER, h, numbers)
            assert bits(given[f"{name}_code"][i]) == bits(stored["code"])
            assert bits(given[f"{name}_absmax"][i]) == bits(stored["absmax"])


def adamw_in_numpy(h: Hyper, t: int, p: Array, g: Array, m: Array, v: Array) -> list[Array]:
    """The lines of csrc/rules/adamw.h, operation by operation in float32."""
    f = np.float32
    beta1, beta2, lr, eps = f(h.beta1), f(h.beta2), f(h.lr), f(h.eps)
    gradient = f(h.beta1 - 1 if h.maximize else 1 - h.beta1)
    correction1, correction2 = f(1 / (1 - h.beta1**t)), f(1 / (1 - h.beta2**t))
    with np.errstate(all="ignore"):
        m = beta1 * m + gradient * g
        v = beta2 * v + f(1 - h.beta2) * (g * g)
        update = m * correction1 / (np.sqrt(v * correction2) + eps)
        return [p * f(1 - h.lr * h.weight_decay) - lr * update, m, v]


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("t", [1, 2, 1000, 2**24])
def test_float32_is_the_written_rule(maximize: bool, t: int) -> None:
    """Bit for bit NumPy's float32 evaluation, each constant rounded once from double."""
    rng = np.random.default_rng(t)
    p, g, m, v = (wide(5 + k, 10_003) for k in range(4))
    v = np.abs(v)
    for _ in range(20):
        lr, decay = 10.0 ** rng.uniform(-2, 0, 2)
        h = adamw.Hyper(lr, *rng.uniform(0, 1, 2), 1e-6, decay, maximize, decay="before")
        expected = adamw_in_numpy(h, t, p, g, m, v)
        Plan("adamw", [p], [g], {"m": [m], "v": [v]}).step(h, t)
        assert [bits(x) for x in (p, m, v)] == [bits(x) for x in expected]


def test_maximizing_is_descending_on_the_negated_gradient() -> None:
    """Bit for bit, zeros and specials included."""
    [kernel, *_] = [k for k in rule_kernels() if k.rule == "adamw"]
    up, down = (inputs_of(kernel, 7, coded=False, bfloat16=False) for _ in range(2))
    plan_of(kernel, up).step(adamw.Hyper(decay="before", maximize=True), 2)
    down["grads"] = [-g for g in down["grads"]]
    plan_of(kernel, down).step(adamw.Hyper(decay="before"), 2)
    for name in ("params", "m", "v"):
        assert [bits(x) for x in up[name]] == [bits(x) for x in down[name]]
