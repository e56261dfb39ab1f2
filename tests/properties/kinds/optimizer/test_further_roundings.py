"""Further stores that lean or whose noise is no noise, and a changed floating-point environment."""

from __future__ import annotations

import ctypes
import ctypes.util
import dataclasses
import platform
from collections.abc import Callable, Sequence

import ml_dtypes
import numpy as np
import pytest

from truestep.fast.protocol import Group, OptimizerCapability, Slot, Stepped
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.properties.kinds.optimizer import direction, noise
from truestep.properties.museum.plant import Kernel, StepOne
from truestep.properties.museum.power import first_failure
from truestep.reference.declared import Hyper
from truestep.reference.validation import Array

pytestmark = pytest.mark.power

STOCHASTIC = Arithmetic(
    "bfloat16_parameters_by_chance", storage={"p": "bfloat16"}, rounding="stochastic"
)
# Noise, or what stands in its place, for so many elements.
Noise = Callable[[np.random.Generator, int], Array]
Store = Callable[[np.random.Generator, Array], Array]
HALF, WHOLE = 2**15, 2**16
# Of <fenv.h> on x86-64.
DOWN, UP = 0x400, 0x800
LEAST_NORMAL = np.finfo(np.float32).tiny


def _added(noise: Noise) -> Store:
    """Noise is added below bfloat16's last digit, and the sum is cut there."""

    def store(rng: np.random.Generator, x: Array) -> Array:
        bits = np.ascontiguousarray(x, np.float32).reshape(-1).view(np.uint32).astype(np.int64)
        sums = np.maximum(bits + noise(rng, x.size).astype(np.int64), bits & 2**31)
        cut = (sums >> 16).astype(np.uint16).view(ml_dtypes.bfloat16).reshape(x.shape)
        return np.where(np.isfinite(x), cut, x.astype(ml_dtypes.bfloat16))

    return store


def _nearest(rng: np.random.Generator, x: Array) -> Array:
    return x.astype(ml_dtypes.bfloat16)


AWAY = _added(lambda _, n: np.full(n, WHOLE - 1))
FRESH = _added(lambda rng, n: rng.integers(0, WHOLE, n))
TRUNCATED = _added(lambda _, n: np.zeros(n))


def _negative_truncated(rng: np.random.Generator, x: Array) -> Array:
    return np.where(np.signbit(x), TRUNCATED(rng, x), _nearest(rng, x))


def _truncated_tail(rng: np.random.Generator, x: Array) -> Array:
    """Vectors of 32 are rounded to nearest, the scalar loop behind them cuts."""
    flat, whole = x.reshape(-1), x.size // 32 * 32
    parts = _nearest(rng, flat[:whole]), TRUNCATED(rng, flat[whole:])
    return np.concatenate(parts).reshape(x.shape)


def _truncated_beyond_vectors(rng: np.random.Generator, x: Array) -> Array:
    """Small tensors take a path that rounds to nearest."""
    return TRUNCATED(rng, x) if x.size >= 64 else _nearest(rng, x)


class Storing:
    """AdamW's lines in float32, whose tensors are stored in bfloat16."""

    name = "storing"

    def __init__(self, arithmetic: str | Arithmetic, **stores: Store) -> None:
        self.arithmetic, self.stores = arithmetic, stores
        self.lines, self.rng = Kernel("adamw"), np.random.default_rng(0)

    def capabilities(self) -> Sequence[OptimizerCapability]:
        """One, with parameters and gradients in bfloat16."""
        return [OptimizerCapability(rule="adamw", format="bfloat16", arithmetic=self.arithmetic)]

    def optimizer_step(
        self, capability: OptimizerCapability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """The lines' step on float32, then the stores, those to nearest by default."""
        with np.errstate(all="ignore"):
            return [[self._step(group.hyper, slot) for slot in group.slots] for group in groups]

    def _step(self, h: Hyper, slot: Slot) -> Stepped:
        state = {k: x if k == "t" else x.astype(np.float32) for k, x in slot.state.items()}
        wide = Slot(slot.param.astype(np.float32), slot.grad.astype(np.float32), state)
        new = self.lines._step(h, wide)
        kept = {
            k: self._stored(k, new.state[k]).astype(x.dtype)
            for k, x in slot.state.items()
            if k != "t"
        }
        return Stepped(self._stored("p", new.param), {"t": new.state["t"], **kept})

    def _stored(self, name: str, x: Array) -> Array:
        wide = name != "p" and self.arithmetic != "bfloat16_storage"
        return np.asarray(x if wide else self.stores.get(name, _nearest)(self.rng, x))


DIRECTED = {
    "away from zero": Storing("bfloat16_params", p=AWAY),
    "large tensors alone": Storing("bfloat16_params", p=_truncated_beyond_vectors),
    "negative numbers alone": Storing("bfloat16_params", p=_negative_truncated),
    "the second moment alone": Storing("bfloat16_storage", v=TRUNCATED),
    "what is left of vectors": Storing("bfloat16_params", p=_truncated_tail),
}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", DIRECTED)
def test_stores_that_lean_are_found(name: str, seed: int) -> None:
    """By the direction of their errors."""
    found = first_failure(DIRECTED[name], direction.NAME, seed=seed, told=False)
    assert found is not None
    assert (found.check, found.verdict) == (direction.NAME, "fail")


NOISE: dict[str, Noise] = {
    "a buffer made once": lambda _, n: np.random.default_rng(5).integers(0, WHOLE, n),
    "a half on top": lambda rng, n: rng.integers(0, WHOLE, n) + HALF,
    "around zero": lambda rng, n: rng.integers(-HALF, HALF, n),
    "in the first block": lambda rng, n: np.append(
        rng.integers(0, WHOLE, min(n, 2**10)), np.full(max(n - 2**10, 0), HALF)
    ),
    "places, hashed": lambda _, n: np.arange(n) * 40503 % WHOLE,
}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", NOISE)
def test_noise_that_is_none_is_found(name: str, seed: int) -> None:
    """By its counts."""
    backend = Storing(STOCHASTIC, p=_added(NOISE[name]))
    found = first_failure(backend, noise.NAME, seed=seed, told=False)
    assert found is not None
    assert (found.check, found.verdict) == (noise.NAME, "fail")


@pytest.mark.parametrize(
    ("arithmetic", "store"), [("bfloat16_storage", _nearest), (STOCHASTIC, FRESH)]
)
def test_stores_as_declared_pass(arithmetic: str | Arithmetic, store: Store) -> None:
    """Every check."""
    assert first_failure(Storing(arithmetic, p=store), told=False) is None


class Rounding(Kernel):
    """A rule's lines while the processor rounds in a direction, which is put back."""

    def __init__(self, rule: str, mode: int) -> None:
        super().__init__(rule)
        self.mode, self.c = mode, ctypes.CDLL(ctypes.util.find_library("m"))

    def _step(self, h: Hyper, slot: Slot) -> Stepped:
        before = self.c.fegetround()
        self.c.fesetround(self.mode)
        try:
            return super()._step(h, slot)
        finally:
            self.c.fesetround(before)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the modes are those of x86-64")
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("rule", "mode"), [("adadelta", UP), ("lion", UP), ("sgd", DOWN)])
def test_a_direction_of_all_operations_is_found(rule: str, mode: int, seed: int) -> None:
    """Whether moments divide, signs are taken, or nothing but sums is made."""
    found = first_failure(Rounding(rule, mode), direction.NAME, seed=seed, told=False)
    assert found is not None
    assert (found.check, found.verdict) == (direction.NAME, "fail")


def _flushed(x: Array) -> Array:
    return np.where(np.abs(x) < LEAST_NORMAL, np.float32(0), x) if isinstance(x, np.ndarray) else x


def _gradients(lines: StepOne, h: Hyper, slot: Slot) -> Stepped:
    return lines(h, dataclasses.replace(slot, grad=_flushed(slot.grad)))


def _everything_read(lines: StepOne, h: Hyper, slot: Slot) -> Stepped:
    state = {name: _flushed(x) for name, x in slot.state.items()}
    return lines(h, Slot(_flushed(slot.param), _flushed(slot.grad), state))


def _state_written(lines: StepOne, h: Hyper, slot: Slot) -> Stepped:
    new = lines(h, slot)
    return Stepped(new.param, {name: _flushed(x) for name, x in new.state.items()})


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("rule", "flushing", "first"),
    [
        ("adamw", _everything_read, "full_range"),
        ("lion", _state_written, "strata"),
        ("sgd", _gradients, "strata"),
    ],
)
def test_subnormal_numbers_that_vanish_are_found(
    rule: str, flushing: Callable[..., Stepped], first: str, seed: int
) -> None:
    """On the way in or out, where they are declared as kept."""
    found = first_failure(Kernel(rule, slot=flushing), first, seed=seed, told=False)
    assert found is not None
    assert found.verdict == "fail"
