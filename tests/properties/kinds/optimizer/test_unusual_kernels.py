"""Correct kernels that compute in other ways than the lines of the definition: they pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pytest

from truestep.fast.protocol import Group, OptimizerBackend, OptimizerCapability, Slot, Stepped
from truestep.properties.museum.plant import Kernel
from truestep.properties.museum.power import first_failure
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference import newton_schulz
from truestep.reference.declared import Hyper
from truestep.reference.validation import Array

pytestmark = pytest.mark.power

f = np.float32
State = Mapping[str, Array]
Moved = tuple[Array, Array, Array]
Way = Callable[[Hyper, Array, Array, State, int], Moved]


class Own:
    """AdamW by functions of their own: p, m and v after the step of that count."""

    def __init__(self, way: Way) -> None:
        self.name, self.way = way.__name__, way

    def capabilities(self) -> Sequence[OptimizerCapability]:
        """The one."""
        return [OptimizerCapability(rule="adamw", dialect={"decay": "before"})]

    def optimizer_step(
        self, capability: OptimizerCapability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """Each tensor by itself."""
        with np.errstate(all="ignore"):
            return [[self._step(group.hyper, slot) for slot in group.slots] for group in groups]

    def _step(self, h: Hyper, slot: Slot) -> Stepped:
        t = slot.state["t"] + 1
        g = -slot.grad if h.maximize else slot.grad
        p, m, v = (np.asarray(x, f) for x in self.way(h, slot.param, g, slot.state, t))
        return Stepped(p, {"t": t, "m": m, "v": v})


def fused(a: Array, b: Array, c: Array) -> Array:
    """a b + c, rounded once to float32 but for float64's own rounding."""
    return (a.astype(float) * b + c).astype(f)


def in_float64(h: Hyper, p: Array, g: Array, s: State, t: int) -> Moved:
    """Everything is rounded once, as it is stored."""
    p, g, m, v = (x.astype(float) for x in (p, g, s["m"], s["v"]))
    m, v = h.beta1 * m + (1 - h.beta1) * g, h.beta2 * v + (1 - h.beta2) * g * g
    root = np.sqrt(v / (1 - h.beta2**t)) + h.eps
    return p * (1 - h.lr * h.weight_decay) - h.lr * m / (1 - h.beta1**t) / root, m, v


def with_fused_operations(h: Hyper, p: Array, g: Array, s: State, t: int) -> Moved:
    """Each product with the sum that follows it."""
    m = fused(s["m"], f(h.beta1), f(1 - h.beta1) * g)
    v = fused(f(1 - h.beta2) * g, g, f(h.beta2) * s["v"])
    d = m / f(1 - h.beta1**t) / (np.sqrt(v / f(1 - h.beta2**t)) + f(h.eps))
    return fused(d, f(-h.lr), p * f(1 - h.lr * h.weight_decay)), m, v


def by_reciprocals(h: Hyper, p: Array, g: Array, s: State, t: int) -> Moved:
    """Where a quotient is due, a product with the rounded reciprocal."""
    m, v = _averages(h, g, s)
    first, second = f(1) / f(1 - h.beta1**t), f(1) / f(1 - h.beta2**t)
    d = m * first * (f(1) / (np.sqrt(v * second) + f(h.eps)))
    return p * f(1 - h.lr * h.weight_decay) - f(h.lr) * d, m, v


def _averages(h: Hyper, g: Array, s: State) -> tuple[Array, Array]:
    m = f(h.beta1) * s["m"] + f(1 - h.beta1) * g
    return m, f(h.beta2) * s["v"] + f(1 - h.beta2) * (g * g)


def with_folded_corrections(h: Hyper, p: Array, g: Array, s: State, t: int) -> Moved:
    """The root of v's correction goes over to the numerator and to eps, all in float32."""
    m, v = _averages(h, g, s)
    root = f((1 - h.beta2**t) ** 0.5)
    d = f(h.lr) * root * m / f(1 - h.beta1**t) / (np.sqrt(v) + f(h.eps) * root)
    return p * f(1 - h.lr * h.weight_decay) - d, m, v


def compensated(x: Array) -> Array:
    """A sum whose lost digits go into the next term (Kahan)."""
    total, lost = f(0), f(0)
    for term in x.reshape(-1):
        term = term - lost
        new = total + term
        total, lost = new, (new - total) - term
    return np.asarray(total)


def _lamb() -> Kernel:
    norms = [(f"np.sum({x} * {x})", f"total({x} * {x})") for x in ("p", "update")]
    kernel = Kernel("lamb", norms)
    vars(kernel.module)["total"] = compensated
    return kernel


KERNELS: dict[str, Callable[[], OptimizerBackend]] = {
    **{
        way.__name__: partial(Own, way)
        for way in (
            by_reciprocals, in_float64, with_folded_corrections, with_fused_operations
        )
    },
    "norms_with_compensated_sums": _lamb,
}  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", KERNELS)
def test_it_passes(name: str, seed: int) -> None:
    """Every check, laws and statistics among them."""
    failed = first_failure(KERNELS[name](), seed=seed, told=False)
    assert failed is None, failed and failed.message


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_products_of_matrices_may_be_taken_in_another_order(seed: int) -> None:
    """Muon's polynomial applied from the right, judged by replicates."""
    whole = "x = a * x + (b * gram + c * (gram @ gram)) @ x"
    apart = "y = gram @ x\n        x = a * x + b * y + c * (gram @ y)"
    kernel = Kernel("muon", [(newton_schulz, whole, apart)], shapes="matrices")
    for check in checks_of(kernel):
        if check.name in ("strata", "update_alone"):
            result = run_check(kernel, check, level="standard", seed=seed, told=False)
            assert result.verdict == "pass", result.message
