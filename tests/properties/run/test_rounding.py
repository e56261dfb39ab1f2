"""Of the arithmetics that a backend leaves open, the strictest is chosen that it keeps to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from truestep.fast.protocol import Group, OptimizerCapability, Stepped
from truestep.properties.run.plan import checks_of
from truestep.properties.run.rounding import settled, told

NAMES = ("ieee_float32", "capturable_float32", "float32_hyper")


class Adam:
    """In float32; functions of the counter, or all numbers, too."""

    name = "adam_of_a_test"
    declaration = "judged as adam"

    def __init__(self, counter: type = float, numbers: type = float, wrong: float = 1.0) -> None:
        self.counter, self.numbers, self.wrong = counter, numbers, wrong

    def capabilities(self) -> list[OptimizerCapability]:
        """One, which leaves open how it rounds."""
        return [
            OptimizerCapability(
                rule="adam", arithmetic=NAMES, fixed={"maximize": False, "weight_decay": 0.0}
            )
        ]

    def optimizer_step(
        self, capability: OptimizerCapability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """Every tensor by itself."""
        return [[self._step(group.hyper, slot) for slot in group.slots] for group in groups]

    def _step(self, h: Any, slot: Any) -> Stepped:
        f, n, c = np.float32, self.numbers, self.counter
        t = slot.state["t"] + 1
        with np.errstate(all="ignore"):
            m = f(h.beta1) * slot.state["m"] + f(n(1) - n(h.beta1)) * slot.grad
            v = f(h.beta2) * slot.state["v"] + f(n(1) - n(h.beta2)) * (slot.grad * slot.grad)
            c1, c2 = (f(c(1) - c(n(b)) ** c(t)) for b in (h.beta1, h.beta2))
            d = m / c1 / (np.sqrt(v / c2) + f(h.eps))
            p = slot.param - f(h.lr * self.wrong) * d
        return Stepped(np.asarray(p), {"t": t, "m": np.asarray(m), "v": np.asarray(v)})


@pytest.mark.parametrize(
    ("backend", "found"),
    [
        (Adam(), "ieee_float32"),
        (Adam(np.float32), "capturable_float32"),
        (Adam(np.float32, np.float32), "float32_hyper"),
    ],
)
def test_the_strictest_that_it_keeps_to(backend: Adam, found: str) -> None:
    """Its checks are of that one, and the declaration says so."""
    assert [each.arithmetic for each in settled(backend)] == [found]  # type: ignore[arg-type]
    assert {check.capability.arithmetic for check in checks_of(backend)} == {found}  # type: ignore[arg-type]
    assert told(backend) == f"judged as adam; arithmetic {found}"  # type: ignore[arg-type]


def test_a_wrong_kernel_is_held_to_the_strictest() -> None:
    """No arithmetic is loosened until what is wrong passes."""
    [capability] = settled(Adam(wrong=1.001))  # type: ignore[arg-type]
    assert capability.arithmetic == NAMES[0]
