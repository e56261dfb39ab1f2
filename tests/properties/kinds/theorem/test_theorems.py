"""Theorems hold for correct steps, are refuted for wrong ones, and rarely raise false alarms."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

from truestep.fast.protocol import Capability, Group, OptimizerCapability, Stepped
from truestep.properties.kinds.theorem.false_alarms import its_reference, too_many
from truestep.properties.kinds.theorem.theorems import controls
from truestep.properties.kinds.theorem.theorems.kernels import Implementation, reference
from truestep.properties.kinds.theorem.theorems.stochastic import gaussian
from truestep.properties.kinds.theorem.theorems.table import LEVEL, THEOREMS
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Subject,
    Theorem,
    Trial,
    at_most,
    equal,
    report_extra,
    run,
    worst,
)
from truestep.reference.optimizers import sgd
from truestep.reference.problems import quadratic
from truestep.reference.schedules import power

ALL = pytest.mark.parametrize("name", sorted(THEOREMS))
U32 = 2.0**-24


@ALL
def test_references_pass_and_controls_fail(name: str) -> None:
    """The reference passes, every control deviates clearly, and the chart shows the band."""
    theorem = THEOREMS[name]
    result = run(theorem, its_reference(theorem), Trial(20_240_229, LEVEL))
    assert result.verdict == "pass", result.message
    assert 0 <= result.evidence.statistic <= 1
    for control, evidence in result.controls.items():
        assert not evidence.statistic <= 1.2, control
    found = result.evidence
    lengths = {len(x) for x in (found.x, found.measured, found.expected, found.low, found.high)}
    assert lengths == {len(next(iter(result.controls.values())).measured)}
    for low, value, high in zip(found.low, found.measured, found.high, strict=True):
        assert low <= value <= high


def test_failure_message_says_what_deviates() -> None:
    """Statement, test, factor and seed are in the message."""
    kernel = controls.longer(1.2)(reference("sgd"))
    result = run(THEOREMS["sgd_moments"], kernel, Trial(5, LEVEL))
    assert result.verdict == "fail"
    assert "Cov x_{t+1}" in result.message
    assert "seed 5" in result.message
    assert f"{result.evidence.statistic:.4g} times" in result.message


@pytest.mark.parametrize("has_controls", [True, False])
def test_a_control_that_passes_fails_the_theorem(has_controls: bool) -> None:
    """An experiment that cannot fail is no evidence, nor is one without a control."""

    def blind(kernel: Any, trial: Trial) -> Evidence:
        return Evidence.of([Outcome(0.5, "nothing in particular")], [(1, 1.0, 1.0, (0.0, 2.0))])

    found = {"blind": blind} if has_controls else {}
    theorem = Theorem("blind", "t", "s", "s", Subject("sgd"), {}, blind, found, ("t", "y"))
    result = run(theorem, reference("sgd"), Trial(0, LEVEL))
    assert result.verdict == "fail"
    assert "shows nothing" in result.message


def test_one_number_is_judged_on_the_scale_of_its_allowance() -> None:
    """Equalities by their distance, bounds from one side, exactness without any allowance."""
    assert equal("x", 1.5, 1.0, 0.5) == Outcome(1.0, "x", 1.0)
    assert equal("x", 1.0, 1.0, 0.0).deviation == 0
    assert equal("x", 1.1, 1.0, 0.0).deviation == np.inf
    assert at_most("x", 3.0, 2.0, 1.0).deviation == 1
    assert at_most("x", 0.0, 0.0).deviation == 0
    assert at_most("x", 1e-9, 0.0).deviation == np.inf
    assert np.isnan(worst([Outcome(9.0, "large"), Outcome(np.nan, "none")]).deviation)


@ALL
def test_descriptions_for_reports(name: str) -> None:
    """Every theorem has its statement, source, constants and a chart that JSON takes."""
    theorem = THEOREMS[name]
    assert theorem.name == name
    assert theorem.statement.endswith(".")
    assert theorem.source
    assert theorem.constants
    assert theorem.controls
    evidence = Evidence.of([equal("x", 1, 1, 1)], [(1, 1.0, 1.0, (0.0, 2.0))])
    blind = dataclasses.replace(
        theorem, experiment=lambda *_: evidence, controls={"none": lambda *_: evidence}
    )
    extra = report_extra(blind, run(blind, its_reference(theorem), Trial(1, LEVEL)))
    assert {line["role"] for line in extra["chart"]["series"]} == {
        "band",
        "control",
        "exact",
        "measured",
    }
    json.dumps(extra)


FLOAT32 = OptimizerCapability(rule="sgd")


class FakeBackend:
    """Float32 SGD behind the protocol, which records what it was given."""

    name = "fake"

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def capabilities(self) -> Sequence[Capability]:
        """SGD in float32."""
        return [FLOAT32]

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """p - lr g."""
        ((slot,), h) = groups[0].slots, groups[0].hyper
        self.seen.append((slot, h))
        moved = slot.param - np.float32(h.lr) * slot.grad
        return [[Stepped(moved, {"t": 1, "b": slot.state["b"]})]]


def test_false_alarms_are_as_rare_as_stated() -> None:
    """Of 400 true samples at a total level of 5 %, no more fail than Bonferroni allows."""
    rng = np.random.default_rng(12)
    C = np.array([[2.0, 0.5], [0.5, 1.0]])
    root, level = np.linalg.cholesky(C), 0.05 / gaussian.moment_tests(2)
    alarms = 0
    for _ in range(400):
        x = rng.standard_normal((50, 2)) @ root.T + 3.0
        alarms += gaussian.moments(x, np.full(2, 3.0), C, 0.0, level, "").deviation > 1
    assert alarms <= stats.binom.isf(1e-6, 400, 0.05)
    assert alarms >= 1  # a level that is never used up would mean limits far too wide


@pytest.mark.parametrize(
    "C",
    [
        np.array([[2.4, 0.5], [0.5, 1.0]]),
        np.array([[2.0, 0.5], [0.5, 0.8]]),
        np.array([[2.0, 0.1], [0.1, 1.0]]),
    ],
)
def test_wrong_covariances_are_noticed(C: np.ndarray) -> None:
    """20 % in one variance, or a wrong correlation, at a level of 1e-6 with 10,000 samples."""
    rng = np.random.default_rng(13)
    x = rng.standard_normal((10_000, 2)) @ np.linalg.cholesky(C).T
    claimed = np.array([[2.0, 0.5], [0.5, 1.0]])
    assert gaussian.moments(x, np.zeros(2), claimed, 0.0, 1e-6 / 5, "").deviation > 1


def test_drift_bounds_the_rounding_of_float32_runs() -> None:
    """Float32 runs stay within the drift of float64 runs on the same noise, and not far below."""
    q = quadratic.with_spectrum([0.5, 4.0], [1.0, 1.0], [1.0, -2.0], seed=14)
    steps = [0.2] * 64
    x0 = np.zeros(2)
    runs = [
        gaussian.replicates(q, kernel, steps, x0, 500, np.random.default_rng(15))
        for kernel in (reference("sgd"), Implementation(FakeBackend(), FLOAT32))
    ]
    for exact, rounded in zip(*runs, strict=True):
        moved = np.linalg.norm(exact.x - rounded.x, axis=1).max()
        assert moved <= exact.drift + rounded.drift
        assert moved >= rounded.drift / 100


def test_averages_reach_the_covariance_of_polyak_and_ruppert() -> None:
    """T Var of the average over its limit: 1.0346 for t^-0.7 at T = 10^4, 1.9990 for 1 / t."""
    q = quadratic.Problem(np.eye(1), np.zeros(1), np.eye(1))
    T = 10_000
    for exponent, want in ((0.7, 1.03460), (1.0, 1.99902)):
        h = power.Hyper(lr=1.0, shift=1.0, power=exponent)
        *_, last = quadratic.moments(q, np.zeros(1), (power.value(h, t) for t in range(T)))
        ratio = T * last.average_covariance[0, 0] / quadratic.asymptotic_covariance(q)[0, 0]
        assert abs(ratio - want) <= 0.5e-5 + 1e-12 * T


def test_harmonic_steps_reach_their_rate() -> None:
    """t E x_t^2 tends to c^2 s^2 / (2 c l - 1) = 4 / 3 for c l = 2, monotonically at the end."""
    q = quadratic.Problem(np.eye(1), np.zeros(1), np.eye(1))
    h = power.Hyper(lr=2.0, shift=1.0, power=1.0)
    moments = quadratic.moments(q, np.zeros(1), (power.value(h, t) for t in range(4096)))
    scaled = [m.t * m.covariance[0, 0] for m in moments]
    assert abs(scaled[-1] - 4 / 3) < 4 / 4096
    assert (np.diff(np.abs(np.array(scaled[2048:]) - 4 / 3)) < 0).all()


def test_theorems_run_on_a_backend() -> None:
    """Through the protocol: float32 arrays in, a Hyper of SGD, float64 out."""
    backend = FakeBackend()
    kernel = Implementation(backend, FLOAT32)
    assert kernel.u == U32
    for name in ("gradient_descent_rate", "sgd_moments"):
        assert THEOREMS[name].experiment(kernel, Trial(3, LEVEL)).statistic <= 1, name
    slot, h = backend.seen[0]
    assert slot.param.dtype == slot.grad.dtype == np.float32
    assert slot.state["t"] == 0
    assert isinstance(h, sgd.Hyper)
    run = kernel.start(np.ones(2), lr=0.5)
    assert run.step(np.ones(2)).dtype == np.float64
    assert run.step(np.ones(2), lr=0.25).tolist() == [0.25, 0.25]


def test_theorems_read_schedules_pieces_and_minimizers() -> None:
    """The reference's values, its pieces' outputs and a step from a function, as float64."""
    assert reference("power", "schedule").rates([0, 1], lr=1.0, power=1.0) == [1.0, 0.5]
    mean = reference("data_parallel", "training").outputs(
        {"gradients": [np.zeros(2), np.ones(2)], "sizes": [1, 1]}
    )["averaged"]
    assert [x.tolist() for x in mean] == [[0.5, 0.5]] * 2

    def square(x: Any) -> tuple[Any, Any]:
        return np.sum(x * x), 2 * x

    run = reference("kiefer_wolfowitz", "minimizer").start(np.ones(1), lr=0.5, width=1.0)
    assert run.step(square).tolist() == [0.0]
    assert run.state["t"] == 1


def test_stored_state_is_coded() -> None:
    """A capability that keeps its state as codes begins with codes and steps from them."""
    from truestep.fast.ours.cpu import Backend

    backend = Backend()
    found = next(c for c in backend.capabilities() if (c.rule, c.variant) == ("sgd", "8bit"))
    run = Implementation(backend, found).start(np.ones(64), lr=0.5, momentum=0.5)
    assert run.step(np.ones(64)).tolist() == [0.5] * 64
    assert set(run.state) == {"t", "b_code", "b_absmax"}


@pytest.mark.parametrize("coordinate", [0, 1])
def test_a_change_of_the_stated_size_is_found(coordinate: int) -> None:
    """The power: a variance changed by the stated share fails in 99 % of the trials, about."""
    rng, n, level = np.random.default_rng(16), 2_000, 1e-6
    change = gaussian.resolution(n, level)
    larger = np.ones(2)
    larger[coordinate] = np.sqrt(1 + change)
    found = 0
    for _ in range(200):
        x = rng.standard_normal((n, 2)) * larger
        found += gaussian.moments(x, np.zeros(2), np.eye(2), 0.0, level, "").deviation > 1
    assert found >= stats.binom.isf(1 - 1e-6, 200, 0.99)


def test_too_many_alarms_are_told_from_chance() -> None:
    """None is never too many, one is at a level of zero, and half of all at one of 5 %."""
    assert not too_many(0, 1000, 0.0)
    assert too_many(1, 1, 0.0)
    assert too_many(50, 100, 0.05)
    assert not too_many(7, 100, 0.05)
