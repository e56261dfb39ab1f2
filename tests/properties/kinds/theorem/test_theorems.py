"""Theorems hold for correct steps, are refuted for wrong ones, and rarely raise false alarms."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

from truestep.fast.protocol import Capability, Group, Stepped
from truestep.properties.kinds.theorem.theorems import gaussian
from truestep.properties.kinds.theorem.theorems.table import THEOREMS
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Step,
    Theorem,
    backend_step,
    reference_step,
    report_extra,
    run,
)
from truestep.reference.optimizers import sgd
from truestep.reference.problems import quadratic
from truestep.reference.schedules import power

ALL = pytest.mark.parametrize("name", sorted(THEOREMS))
U32 = 2.0**-24


def float32_step(lr: float, p: Any, g: Any) -> Any:
    """A faithful float32 kernel."""
    return (p.astype(np.float32) - np.float32(lr) * g.astype(np.float32)).astype(np.float64)


@ALL
@pytest.mark.parametrize(
    ("step", "u", "seed"), [(reference_step, 2.0**-53, 0), (float32_step, U32, 20_240_229)]
)
def test_correct_steps_pass_and_controls_fail(name: str, step: Step, u: float, seed: int) -> None:
    """The reference and a float32 kernel pass; the control deviates at least twice as allowed."""
    result = run(THEOREMS[name], step, seed, u)
    assert result.verdict == "pass", result.message
    assert 0 < result.evidence.statistic <= 1
    assert not result.control.statistic <= 2
    found = result.evidence
    lengths = {len(x) for x in (found.x, found.measured, found.expected, found.low, found.high)}
    assert lengths == {len(result.control.measured)}
    for low, value, high in zip(found.low, found.measured, found.high, strict=True):
        assert low <= value <= high


def late(step: Step) -> Step:
    """Every step uses the learning rate of the one before."""
    previous: list[float] = []

    def wrong(lr: float, p: Any, g: Any) -> Any:
        previous.append(lr)
        return step(previous[-2] if len(previous) > 1 else 0.0, p, g)

    return wrong


def leaky(step: Step) -> Step:
    """A tenth of the last gradient is added: momentum nobody asked for."""
    last: list[Any] = []

    def wrong(lr: float, p: Any, g: Any) -> Any:
        last.append(g)
        remembered = last[-2] if len(last) > 1 and last[-2].shape == g.shape else 0.0
        return step(lr, p, g + 0.1 * remembered)

    return wrong


# Faults of a step, and the theorems that must notice.
MUTANTS: dict[str, tuple[Callable[[Step], Step], set[str]]] = {
    "ascends": (lambda step: lambda lr, p, g: step(lr, p, -g), set(THEOREMS)),
    "ten percent too long": (
        lambda step: lambda lr, p, g: step(1.1 * lr, p, g),
        {"gradient_descent_rate", "sgd_moments", "robbins_monro_convergence"},
    ),
    "one permille too short": (
        lambda step: lambda lr, p, g: step(0.999 * lr, p, g),
        {"gradient_descent_rate"},
    ),
    "does nothing": (lambda _: lambda lr, p, g: p, set(THEOREMS)),
    "decays the weights": (
        lambda step: lambda lr, p, g: step(lr, 0.99 * p, g),
        {"gradient_descent_rate", "sgd_moments", "polyak_ruppert_averaging"},
    ),
    "clips the gradient": (
        lambda step: lambda lr, p, g: step(lr, p, np.clip(g, -1, 1)),
        set(THEOREMS),
    ),
    "sums the batch": (lambda step: lambda lr, p, g: step(lr, p, 2 * g), set(THEOREMS)),
    "one step late": (late, {"gradient_descent_rate", "robbins_monro_convergence", "sgd_moments"}),
    "leaks momentum": (
        leaky,
        {"gradient_descent_rate", "robbins_monro_convergence", "sgd_moments"},
    ),
    "float16 gradients": (
        lambda step: lambda lr, p, g: step(lr, p, g.astype(np.float16).astype(np.float64)),
        {"gradient_descent_rate"},
    ),
}


@pytest.mark.parametrize("mutant", sorted(MUTANTS))
def test_faults_are_noticed(mutant: str) -> None:
    """Each fault makes the named theorems fail, with a sentence that says where."""
    make, killers = MUTANTS[mutant]
    for name in sorted(killers):
        theorem = THEOREMS[name]
        with np.errstate(over="ignore", invalid="ignore"):
            evidence = theorem.experiment(make(reference_step), 7, 2.0**-53)
        assert not evidence.statistic <= 1, name
        assert evidence.worst != "nothing"


def test_failure_message_says_what_deviates() -> None:
    """Statement, test, factor and seed are in the message."""
    result = run(THEOREMS["sgd_moments"], lambda lr, p, g: p - 1.2 * lr * g, 5)
    assert result.verdict == "fail"
    assert "Cov x_{t+1}" in result.message
    assert "seed 5" in result.message
    assert f"{result.evidence.statistic:.4g} times" in result.message


def test_a_control_that_passes_fails_the_theorem() -> None:
    """An experiment that cannot fail is no evidence."""

    def blind(step: Step, seed: int, u: float) -> Evidence:
        return Evidence(0.5, "nothing in particular", [1], [1.0], [1.0], [0.0], [2.0])

    theorem = Theorem("blind", "s", "s", {}, blind, lambda lr: lr, "none", 0.0, ("t", "y"))
    result = run(theorem, reference_step, 0)
    assert result.verdict == "fail"
    assert "shows nothing" in result.message


@ALL
def test_descriptions_for_reports(name: str) -> None:
    """Every theorem has its statement, source, constants and a chart that JSON takes."""
    theorem = THEOREMS[name]
    assert theorem.name == name
    assert theorem.statement.endswith(".")
    assert theorem.source
    assert theorem.constants
    extra = report_extra(theorem, run(theorem, reference_step, 1))
    assert {line["role"] for line in extra["chart"]["series"]} == {
        "band",
        "control",
        "exact",
        "measured",
    }
    json.dumps(extra)


def test_false_alarms_are_as_rare_as_stated() -> None:
    """Of 400 true samples at a total level of 5 %, no more fail than Bonferroni allows."""
    rng = np.random.default_rng(12)
    C = np.array([[2.0, 0.5], [0.5, 1.0]])
    root, level = np.linalg.cholesky(C), 0.05 / gaussian.moment_tests(2)
    alarms = 0
    for _ in range(400):
        x = rng.standard_normal((50, 2)) @ root.T + 3.0
        alarms += gaussian.moments(x, np.full(2, 3.0), C, 0.0, level, "")[0] > 1
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
    assert gaussian.moments(x, np.zeros(2), claimed, 0.0, 1e-6 / 5, "")[0] > 1


def test_drift_bounds_the_rounding_of_float32_runs() -> None:
    """Float32 runs stay within the drift of float64 runs on the same noise, and not far below."""
    q = quadratic.with_spectrum([0.5, 4.0], [1.0, 1.0], [1.0, -2.0], seed=14)
    steps = [0.2] * 64
    x0 = np.zeros(2)
    runs = [
        gaussian.replicates(q, step, steps, x0, 500, 15, u)
        for step, u in ((reference_step, 2.0**-53), (float32_step, U32))
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


class FakeBackend:
    """Float32 SGD behind the protocol, which records what it was given."""

    name = "fake"

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def capabilities(self) -> Sequence[Capability]:
        """SGD in float32."""
        return [Capability("optimizer", "sgd", fixed={"weight_decay": 0.0})]

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """p - lr g."""
        ((slot,), h) = groups[0].slots, groups[0].hyper
        self.seen.append((slot, h))
        moved = slot.param - np.float32(h.lr) * slot.grad
        return [[Stepped(moved, {"t": 1, "b": slot.state["b"]})]]


def test_theorems_run_on_a_backend() -> None:
    """Through the protocol: float32 arrays in, a Hyper of SGD, float64 out."""
    backend = FakeBackend()
    (capability,) = backend.capabilities()
    step = backend_step(backend, capability)
    for theorem in THEOREMS.values():
        assert theorem.experiment(step, 3, U32).statistic <= 1
    slot, h = backend.seen[0]
    assert slot.param.dtype == slot.grad.dtype == np.float32
    assert slot.state["t"] == 0
    assert isinstance(h, sgd.Hyper)
    assert step(0.5, np.ones(2), np.ones(2)).dtype == np.float64
