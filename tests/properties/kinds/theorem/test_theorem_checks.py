"""Theorems as checks: they run on plain SGD and fail where the step is wrong."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from truestep.fast.protocol import Capability, Group, OptimizerCapability, Stepped, Storage
from truestep.fast.reference_backend import Backend as Reference
from truestep.properties.kinds.theorem.kind import implementations
from truestep.properties.kinds.theorem.theorems.table import (
    FALSE_ALARM_PROBABILITY,
    LEVEL,
    THEOREMS,
)
from truestep.properties.run.plan import Check, checks_of, matching, replay_check, run_check

SGD = Capability("optimizer", "sgd", format="float64", arithmetic="ieee_float64")


class Spoilt(Reference):
    """The reference's SGD with the learning rate or the gradient changed, in one format."""

    name = "spoilt"

    def __init__(self, lr: float = 1.0, noise: float = 1.0, format: str = "float64") -> None:
        self.factors = lr, noise
        self.capability = dataclasses.replace(SGD, format=format)

    def capabilities(self) -> Sequence[Capability]:
        return [self.capability]

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        lr, factor = self.factors
        changed = [
            Group(
                dataclasses.replace(group.hyper, lr=group.hyper.lr * lr),
                [
                    dataclasses.replace(slot, grad=(slot.grad * factor).astype(slot.grad.dtype))
                    for slot in group.slots
                ],
            )
            for group in groups
        ]
        stepped = super().optimizer_step(capability, changed)
        return [
            [
                Stepped(np.asarray(new.param, slot.param.dtype), new.state)
                for slot, new in zip(group.slots, news, strict=True)
            ]
            for group, news in zip(groups, stepped, strict=True)
        ]


def theorems(backend: Any) -> list[Check]:
    """The theorem checks of a backend."""
    return matching(checks_of(backend), "theorem/*")


def test_every_theorem_is_a_check_of_the_reference() -> None:
    """One for each, in its own form; those on other forms of a rule are not its checks."""
    found = {check.id for check in theorems(Reference())}
    # Two are of states kept as codes, one of a line search that is not the reference's first.
    others = {"drawn_codes", "eight_bit_dead_zone", "lbfgs_termination"}
    assert others < THEOREMS.keys()
    assert found == {f"theorem/{name}/float64" for name in THEOREMS.keys() - others}


@pytest.mark.parametrize("name", ["gradient_descent_rate", "sgd_moments"])
def test_the_reference_proves_a_theorem(name: str) -> None:
    """The check passes, with its false-alarm probability, its control's failure and a chart."""
    check = next(c for c in theorems(Reference()) if c.rule == name)
    result = run_check(Reference(), check, level="smoke", seed=0)
    assert result.verdict == "pass", result.message
    theorem = THEOREMS[name]
    assert (result.kind, result.check) == ("theorem", f"theorem:{theorem.name}")
    assert result.extra["false_alarm"] == (LEVEL if theorem.random else 0)
    assert result.extra["false_alarm_of_a_run"] == FALSE_ALARM_PROBABILITY
    assert not result.extra["control_statistic"] <= 1
    assert result.extra["statement"] == theorem.statement
    assert result.extra["chart"]["series"]
    assert (result.contract == "statistical") == theorem.random
    json.dumps(result.to_json(), allow_nan=False)


@pytest.mark.parametrize("spoilt", [Spoilt(lr=1.1), Spoilt(noise=-1.0), Spoilt(noise=2.0)])
def test_a_wrong_step_violates_a_theorem(spoilt: Spoilt) -> None:
    """Ten percent too long, uphill, the sum of a batch of two: each fails, and again in replay."""
    check = next(c for c in theorems(spoilt) if c.rule == "sgd_moments")
    with np.errstate(all="ignore"):
        result = run_check(spoilt, check, level="smoke", seed=0, told=False)
        assert result.verdict == "fail"
        assert "Violated" in result.message and check.id in result.message
        assert result.worst is not None
        again = replay_check(spoilt, check, result.worst["case"])
    assert (again.verdict, again.message) == (result.verdict, result.message)


def test_a_theorem_whose_control_passes_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A control that does not fail shows that the experiment shows nothing."""
    moments = THEOREMS["sgd_moments"]
    theorem = dataclasses.replace(moments, controls={"none": moments.experiment})
    monkeypatch.setitem(THEOREMS, "sgd_moments", theorem)
    check = next(c for c in theorems(Reference()) if c.rule == "sgd_moments")
    result = run_check(Reference(), check, level="smoke", seed=0)
    assert result.verdict == "fail"
    assert "The negative control passed" in result.message


def test_single_precision_passes_by_its_own_roundings() -> None:
    """A float32 step passes where float32 is declared, and not where float64 is."""
    coarse = Spoilt(format="float32")
    few = ("gradient_descent_rate", "sgd_moments")
    for check in [found for found in theorems(coarse) if found.rule in few]:
        assert run_check(coarse, check, level="smoke", seed=0).verdict == "pass"
    assert coarse.capability.format == "float32"

    class Rounding(Reference):
        def optimizer_step(
            self, capability: Capability, groups: Sequence[Group]
        ) -> Sequence[Sequence[Stepped]]:
            return [
                [
                    Stepped(new.param.astype(np.float32).astype(np.float64), new.state)
                    for new in group
                ]
                for group in super().optimizer_step(capability, groups)
            ]

    check = next(c for c in theorems(Rounding()) if c.rule == "gradient_descent_rate")
    assert run_check(Rounding(), check, level="smoke", seed=0, told=False).verdict == "fail"


def test_one_variant_in_each_format_is_run() -> None:
    """Cost is bounded: of each format and storage the first that needs the least level."""
    moments, rate = THEOREMS["sgd_moments"], THEOREMS["gradient_descent_rate"]
    several = [
        dataclasses.replace(SGD, format=format, variant=variant, level=level)
        for format in ("bfloat16", "float32", "float64")
        for variant, level in (("slow", "standard"), ("single", "smoke"), ("fused", "smoke"))
    ]
    eight_bit = OptimizerCapability(rule="sgd", storage={"b": Storage("dynamic_8bit")})
    unfit = [
        Capability("optimizer", "adamw"),
        Capability("schedule", "cosine"),
        dataclasses.replace(SGD, fixed={"weight_decay": 0.1}),
        dataclasses.replace(SGD, fixed={"lr": 0.1}),
        eight_bit,
        OptimizerCapability(rule="sgd", shapes="matrices"),
    ]
    chosen = implementations(moments, [*unfit, *several])
    assert [(c.format, c.variant) for c in chosen] == [("float32", "single"), ("float64", "single")]
    assert len(implementations(rate, several)) == 3
    assert implementations(moments, unfit) == []
    held = dataclasses.replace(SGD, fixed={"weight_decay": 0.0, "momentum": (0.0, 0.9)})
    assert implementations(moments, [held]) == [held]
    stored = dataclasses.replace(moments.subject, storage=("dynamic_8bit",))
    also = dataclasses.replace(moments, subject=stored)
    assert implementations(also, [*several, eight_bit])[-1] is eight_bit


def test_a_deep_run_has_the_full_size() -> None:
    """The level decides the size of an experiment, and a recorded case keeps it."""
    check = next(c for c in theorems(Reference()) if c.rule == "gradient_descent_rate")
    cases: list[Any] = []
    for level in ("smoke", "standard", "deep"):
        run_check(Reference(), check, level=level, seed=0, started=cases.append)
    assert [case.full for case in cases] == [False, False, True]


def test_a_whole_run_rarely_raises_a_false_alarm() -> None:
    """The levels of all experiments that a backend can be put to sum up to the stated chance."""
    places = sum(theorem.subject.places for theorem in THEOREMS.values() if theorem.random)
    assert abs(places * LEVEL / FALSE_ALARM_PROBABILITY - 1) < 1e-12
    assert FALSE_ALARM_PROBABILITY <= 1e-6


def test_a_theorem_that_did_not_run_is_filed_as_one() -> None:
    """The record of a crash names the theorem, not the optimizer."""
    check = theorems(Reference())[0]
    record = check.result("crashed", message="the process died")
    assert (record.kind, record.rule) == ("theorem", next(iter(THEOREMS)))
