"""Kernels that match every step within tolerance and still drift fail a theorem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from truestep.fast.protocol import (
    Capability,
    Group,
    OptimizerCapability,
    Slot,
    Stepped,
    numpy_dtype,
)
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.properties.kinds.theorem.theorems.planted import dead_below
from truestep.properties.run.plan import checks_of, matching, run_check
from truestep.reference.optimizers import sgd
from truestep.testing import assert_step

pytestmark = pytest.mark.power

STOCHASTIC = Arithmetic("stochastic_bfloat16", storage={"p": "bfloat16"}, rounding="stochastic")
FLOAT32 = OptimizerCapability(rule="sgd", fixed={"momentum": 0.0, "weight_decay": 0.0})
BFLOAT16 = OptimizerCapability(
    rule="sgd",
    format="bfloat16",
    arithmetic=STOCHASTIC,
    fixed={"momentum": 0.0, "weight_decay": 0.0},
)
Store = Callable[[Any, Any], Any]


class Kernel:
    """SGD without momentum, whose parameters go through a store."""

    name = "planted"

    def __init__(self, capability: OptimizerCapability, store: Store) -> None:
        self.capability, self.store = capability, store

    def capabilities(self) -> Sequence[Capability]:
        return [self.capability]

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        return [[self.step(group.hyper, slot) for slot in group.slots] for group in groups]

    def step(self, h: Any, slot: Any) -> Stepped:
        g = -slot.grad if h.maximize else slot.grad
        with np.errstate(all="ignore"):
            p, update = slot.param.astype(np.float64), h.lr * g.astype(np.float64)
            stored = np.asarray(self.store(p, update), slot.param.dtype)
        return Stepped(stored, {**slot.state, "t": slot.state["t"] + 1})


def nearest(p: Any, update: Any) -> Any:
    """Left to the conversion."""
    return p - update


def truncated(p: Any, update: Any) -> Any:
    """To float32 towards zero."""
    exact = p - update
    near = exact.astype(np.float32)
    beyond = np.abs(near.astype(np.float64)) > np.abs(exact)
    return np.where(beyond, np.nextafter(near, np.float32(0)), near)


def without_small_updates(p: Any, update: Any) -> Any:
    """As a guard against noise: what is below 1e-8 is not added."""
    return dead_below(1e-8)(p, update, 0.0)


def drawn(bias: float) -> Store:
    """Stochastically to bfloat16, away from zero by so much too often."""
    rng = np.random.default_rng(17)

    def store(p: Any, update: Any) -> Any:
        exact = np.asarray(p - update, np.float32)
        bits = exact.view(np.uint32)
        share = (bits & np.uint32(0xFFFF)).astype(np.float64) / 65536
        up = rng.uniform(size=exact.shape) < share + bias * (share > 0)
        low = (bits & np.uint32(0xFFFF0000)).view(np.float32).astype(ml_dtypes.bfloat16)
        high = np.nextafter(low, np.where(exact < 0, -np.inf, np.inf).astype(low.dtype))
        return np.where(up & np.isfinite(exact), high, low)

    return store


PLANTED = {
    "dead zone": (FLOAT32, without_small_updates, "gradient_descent_rate"),
    "truncated store": (FLOAT32, truncated, "rounding_averages_out"),
    "biased stochastic rounding": (BFLOAT16, drawn(0.05), "rounding_averages_out"),
}
FAITHFUL = {"float32": (FLOAT32, nearest), "bfloat16": (BFLOAT16, drawn(0.0))}


def verdict(kernel: Kernel, theorem: str) -> str:
    """Of the theorem's check."""
    [check] = matching(checks_of(kernel), f"theorem/{theorem}/*")
    return run_check(kernel, check, level="smoke", seed=0, told=False).verdict


def require_step_within_tolerance(kernel: Kernel) -> None:
    """Raise unless one is: of 4,096 numbers of order 1, with updates from 1 down to 1e-10."""
    rng, capability = np.random.default_rng(18), kernel.capability
    dtype = numpy_dtype(capability.format)
    p = rng.uniform(0.5, 2, 4096).astype(dtype)
    g = (rng.standard_normal(4096) * 10.0 ** rng.uniform(-9, 1, 4096)).astype(dtype)
    b = np.zeros_like(p)
    slot = Slot(p, g, {"t": 0, "b": b.astype(np.float32)})
    hyper = sgd.Hyper(lr=0.1)
    ((new,),) = kernel.optimizer_step(capability, [Group(hyper, [slot])])
    before = {"p": p, "g": g, "b": slot.state["b"], "t": 0}
    assert_step("sgd", {"lr": 0.1}, before, {"p": new.param}, arithmetic=capability.arithmetic)


@pytest.mark.parametrize("name", sorted(PLANTED))
def test_a_step_within_tolerance_that_drifts_fails_a_theorem(name: str) -> None:
    """One step is as near as a faithful one may be; over many steps the theorem fails."""
    capability, store, theorem = PLANTED[name]
    kernel = Kernel(capability, store)
    require_step_within_tolerance(kernel)
    assert verdict(kernel, theorem) == "fail"


@pytest.mark.parametrize("name", sorted(FAITHFUL))
def test_faithful_stores_pass(name: str) -> None:
    """Rounding to nearest, and stochastic rounding without a bias."""
    kernel = Kernel(*FAITHFUL[name])
    require_step_within_tolerance(kernel)
    assert verdict(kernel, "rounding_averages_out") == "pass"
    if name == "float32":
        assert verdict(kernel, "gradient_descent_rate") == "pass"
