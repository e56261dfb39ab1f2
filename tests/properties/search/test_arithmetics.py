"""A kernel that rounds more than it declares is told in what."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from truestep.fast.protocol import Group, OptimizerCapability, Slot, Stepped
from truestep.properties.arithmetic.profiles import PROFILES, Arithmetic, arithmetic_of
from truestep.properties.judge.results import CheckResult
from truestep.properties.run.plan import checks_of, run_check
from truestep.properties.search.arithmetics import looser, loosest
from truestep.reference.optimizers import OPTIMIZERS

F = np.float32


class Adam:
    """Adam in float32, with 1 - beta^t and sqrt as told."""

    name = "adam"

    def __init__(self, **told: Any) -> None:
        self.told = {"power": lambda x, t: 1 - x**t, "root": np.sqrt, **told}

    def capabilities(self) -> list[OptimizerCapability]:
        """Adam as torch writes it."""
        return [OptimizerCapability(rule="adam", arithmetic="ieee_float32")]

    def optimizer_step(self, _: object, groups: list[Group]) -> list[list[Stepped]]:
        """Every slot by itself."""
        return [[self.stepped(group.hyper, slot) for slot in group.slots] for group in groups]

    def stepped(self, h: Any, slot: Slot) -> Stepped:
        """One tensor."""
        power, root = self.told["power"], self.told["root"]
        t = slot.state["t"] + 1
        with np.errstate(all="ignore"):
            g = -slot.grad if h.maximize else slot.grad
            g = g + F(h.weight_decay) * slot.param if h.weight_decay else g
            m = F(h.beta1) * slot.state["m"] + F(1 - h.beta1) * g
            v = F(h.beta2) * slot.state["v"] + F(1 - h.beta2) * (g * g)
            m_hat, v_hat = m / F(power(h.beta1, t)), v / F(power(h.beta2, t))
            p = slot.param - F(h.lr) * (m_hat / (root(v_hat) + F(h.eps)))
        return Stepped(np.asarray(p), {"t": t, "m": np.asarray(m), "v": np.asarray(v)})


def judged(**told: Any) -> CheckResult:
    """The strata of such a kernel."""
    backend = Adam(**told)
    [check] = [check for check in checks_of(backend) if check.name == "strata"]
    return run_check(backend, check, level="standard", seed=0)


def test_the_kernel_itself_passes() -> None:
    """With everything as declared."""
    result = judged()
    assert result.verdict == "pass", result.message


KERNELS = {
    "functions of the counter in float32": {
        "power": lambda x, t: F(1) - np.power(F(x), F(t), dtype=F)
    },
    "square roots within 2 ulps": {"root": lambda x: np.sqrt(x) * F(1 + 5 * 2**-22)},
}


@pytest.mark.parametrize("words", KERNELS)
def test_what_rounds_more_is_named(words: str) -> None:
    """Where no dialect agrees."""
    result = judged(**KERNELS[words])
    assert result.verdict == "fail"
    assert words in result.identified
    assert f"this kernel computes: {result.identified}" in result.message


# All but the name, and where tensors are kept, which is written out.
ROUNDS = {f.name for f in fields(Arithmetic)} - {"name", "storage"}


@pytest.mark.parametrize("name", PROFILES)
def test_looser_arithmetics_are_looser(name: str) -> None:
    """None is the declared one or rounds less, none changes where tensors are kept."""
    capability = OptimizerCapability(rule="adam", arithmetic=name)
    declared = arithmetic_of(name)
    for distance in (1, 2):
        for reading in looser(OPTIMIZERS["adam"], capability, distance):
            made = arithmetic_of(reading.arithmetic)
            assert any(getattr(made, of) != getattr(declared, of) for of in ROUNDS)
            assert made.stored("p") == declared.stored("p")
            assert made.format.u >= declared.format.u
            assert made.ulps_sqrt >= declared.ulps_sqrt


def test_every_way_to_round_more_is_open_that_is_not_declared() -> None:
    """Of the strictest all; of one that declares some of them, the others."""
    strict = OptimizerCapability(rule="adam", arithmetic="ieee_float32_strict")
    fast = OptimizerCapability(
        rule="adam", arithmetic="cuda_fast_math", dialect={"decay": "before"}
    )
    words = [
        {reading.words.partition("bounds of ")[2] for reading in looser(OPTIMIZERS["adam"], one, 1)}
        for one in (strict, fast)
    ]
    assert words[0] - words[1] == {
        "subnormals flushed to zero", "products fused with sums", "division within 2 ulps",
        "powers within 8 ulps", "functions within 4 ulps",
    }  # fmt: skip
    assert words[1] == {
        "functions of the counter in float32", "hyperparameters and counter in float32",
        "square roots within 2 ulps", "sums one after another",
    }  # fmt: skip
    assert len(words[0]) == 9
    two = list(looser(OPTIMIZERS["adam"], fast, 2))
    assert len(two) == 6 and two[0].words.endswith(" and hyperparameters and counter in float32")
    everything = arithmetic_of(loosest(OPTIMIZERS["adam"], fast).arithmetic)  # type: ignore[arg-type]
    assert (everything.hyper, everything.summation, everything.ulps_sqrt) == (
        "float32", "sequential", 2.0
    )  # fmt: skip
    assert everything.name.startswith("cuda_fast_math, functions of the counter in float32 and ")
    assert dict(two[0].changes)["decay"] == "before"
