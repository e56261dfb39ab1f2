"""Modern rules: hand computations, and the laws that relate them to Adam and to averages.

Over 300 lines: each rule of the family by hand and by its identities.
"""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pytest

from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.lift import bounded
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.judge.contracts import agreement
from truestep.reference.optimizers import (
    OPTIMIZERS,
    adam,
    adam_16bit,
    adamw,
    adan,
    ademamix,
    prodigy,
    schedule_free_adamw,
    schedule_free_sgd,
    stable_adamw,
)

ORACLE = PROFILES["oracle"]
RNG = np.random.default_rng(7)
P = RNG.standard_normal(6)
GRADIENTS = RNG.standard_normal((5, 6))


def _run(module: Any, h: Any, p: Any, gradients: Any) -> tuple[Any, Any]:
    s = module.init(h, p)
    for g in gradients:
        s, p = module.step(h, s, p, np.asarray(g))
    return s, p


def _bounded(module: Any, h: Any, p: Any, gradients: Any) -> tuple[Any, Any]:
    """The same steps in float64, with a bound on their rounding errors."""
    state = module.init(h, p)
    fields = {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}
    s, lifted = bounded(ORACLE).state(module.State, fields), bounded(ORACLE).hyper(h)
    x = Bounded.exact(p, ORACLE)
    for g in gradients:
        s, x = module.step(lifted, s, x, Bounded.exact(g, ORACLE))
    return s, x


def _agree(left: Bounded, right: Bounded) -> bool:
    """Whether both agree within their bounds, which say something about every element."""
    found = agreement(left.v, right.v, left.e + right.e)
    return found.passed and found.judged == found.elements


def _rational(module: Any, fields: dict[str, Any]) -> Any:
    """A Hyper of rational numbers, which it does not accept: written past its validation."""
    h = module.Hyper()
    for name, value in fields.items():
        object.__setattr__(h, name, value)
    return h


def test_schedule_free_sgd_is_the_papers_three_sequences() -> None:
    """In rational arithmetic: y and x of the paper, and x a weighted mean of z_2, z_3, ..."""
    fields = {
        "lr": Fraction(1, 7),
        "beta": Fraction(9, 10),
        "weight_decay": Fraction(1, 3),
        "r": 1,
        "weight_lr_power": 2,
    }
    h = _rational(schedule_free_sgd, fields)
    p = np.array([Fraction(1), Fraction(-2, 3)], dtype=object)
    x, z = p, p
    s = dataclasses.replace(
        schedule_free_sgd.init(h, p),
        weight_sum=np.asarray(Fraction(0)),
        lr_max=np.asarray(Fraction(0)),
    )
    gamma, beta, decay = Fraction(1, 7), Fraction(9, 10), Fraction(1, 3)
    weights: list[Fraction] = []
    history = []
    for t in range(1, 7):
        y = (1 - beta) * z + beta * x
        assert np.all(p == y)
        g = np.array([3 * y[0] + y[1], y[0] + 2 * y[1] - 1], dtype=object)
        weights.append(t * gamma**2)
        c = weights[-1] / sum(weights)
        z = z - gamma * (g + decay * y)
        x = (1 - c) * x + c * z
        history.append(z)
        s, p = schedule_free_sgd.step(h, s, p, g)
        assert np.all(s.z == z) and np.all(schedule_free_sgd.average(h, s, p) == x)
    mean = sum(w * z for w, z in zip(weights, history, strict=True)) / sum(weights)
    assert np.all(x == mean)


@pytest.mark.parametrize("correction", ["rate", "moment"])
def test_schedule_free_adamw_is_the_papers_three_sequences(correction: str) -> None:
    """Within rounding: y, z and x against the paper's lines written out, with a warm-up."""
    h = schedule_free_adamw.Hyper(
        lr=0.1,
        eps=1e-3,
        weight_decay=0.5,
        warmup_steps=3,
        bias_correction=correction,  # type: ignore[arg-type]
    )
    s, y = _bounded(schedule_free_adamw, h, P, GRADIENTS)
    x = z = Bounded.exact(P, ORACLE)
    v: Any = Bounded.exact(0 * P, ORACLE)
    total = Bounded.exact(np.zeros(()), ORACLE)
    for t, g in enumerate(GRADIENTS, 1):
        at = (1 - h.beta1) * z + h.beta1 * x
        v = h.beta2 * v + (1 - h.beta2) * Bounded.exact(g * g, ORACLE)
        left = 1 - h.beta2**t
        gamma = h.lr * min(1.0, t / 3) * (math.sqrt(left) if correction == "rate" else 1.0)
        root = np.sqrt(v if correction == "rate" else v / left)
        d = g / (root + h.eps) + h.weight_decay * at
        weight = Bounded.exact(np.asarray(gamma), ORACLE) * gamma
        total = total + weight
        z = z - gamma * d
        x = (1 - weight / total) * x + weight / total * z
    assert _agree(s.z, z)
    assert _agree(y, (1 - h.beta1) * z + h.beta1 * x)
    assert _agree(schedule_free_adamw.average(bounded(ORACLE).hyper(h), s, y), x)


@pytest.mark.parametrize("rectification", ["silent", "plain"])
def test_schedule_free_adamw_rectified_waits_for_its_threshold(
    rectification: Literal["silent", "plain"],
) -> None:
    """rho passes 4 with step 5: until then z stands still or moves by lr g; then the rate is lr r.

    r_5 = sqrt((rho_5 - 4) (rho_5 - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_5)), where in
    fractions rho_inf = 1999 and rho_5 = 1999 - 10 b / (1 - b) with b = 0.999^5.
    """
    h = schedule_free_adamw.Hyper(
        lr=0.5, eps=0.0, bias_correction="moment", rectification=rectification
    )
    p = np.array([1.0, -2.0])
    s = schedule_free_adamw.init(h, p)
    g = np.array([2.0, 0.5])
    for t in range(1, 5):
        s, p = schedule_free_adamw.step(h, s, p, g)
        moved = 0.0 if rectification == "silent" else t * 0.5 * g
        np.testing.assert_array_equal(s.z, np.array([1.0, -2.0]) - moved)
    b = Fraction(999, 1000) ** 5
    rho, limit = 1999 - 10 * b / (1 - b), 1999
    square = (rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)
    rate = 0.5 * math.sqrt(square)
    new, _ = schedule_free_adamw.step(h, s, p, g)
    # With one gradient over and over the corrected root is its size, and the quotient its sign.
    assert [f"{x:.9f}" for x in s.z - new.z] == [f"{rate:.9f}"] * 2


def test_schedule_free_rules_warm_up_and_bear_a_rate_of_zero() -> None:
    """gamma_1 = lr / 4; with lr = 0 all weights are zero and nothing moves."""
    h = schedule_free_sgd.Hyper(lr=1.0, warmup_steps=4)
    s, _ = _run(schedule_free_sgd, h, np.zeros(2), [[2.0, -4.0]])
    np.testing.assert_array_equal(s.z, [-0.5, 1.0])
    assert s.lr_max == 0.25 and s.weight_sum == 0.0625
    for module in (schedule_free_sgd, schedule_free_adamw):
        s, p = _run(module, module.Hyper(lr=0.0, weight_decay=0.5), P, GRADIENTS)
        np.testing.assert_array_equal(p, P)
        np.testing.assert_array_equal(s.z, P)


def test_schedule_free_sgd_with_a_constant_rate_returns_the_plain_mean_of_z() -> None:
    """Exact in integers: z = -1, -3, -6, -10 and x their means."""
    h = schedule_free_sgd.Hyper(lr=1.0, beta=0.5)
    s, p = schedule_free_sgd.init(h, np.zeros(1)), np.zeros(1)
    for g, x in ((1.0, -1.0), (2.0, -2.0), (3.0, -10 / 3), (4.0, -5.0)):
        s, p = schedule_free_sgd.step(h, s, p, np.array([g]))
        assert f"{schedule_free_sgd.average(h, s, p)[0]:.12f}" == f"{x:.12f}"


def test_ademamix_without_its_slow_average_is_adamw() -> None:
    """alpha = 0: bit for bit without decay, within rounding with it."""
    fields: dict[str, Any] = {"lr": 0.1, "eps": 1e-3}
    _, a = _run(ademamix, ademamix.Hyper(**fields, alpha=0.0), P, GRADIENTS)
    _, b = _run(adamw, adamw.Hyper(**fields, decay="before", weight_decay=0.0), P, GRADIENTS)
    np.testing.assert_array_equal(a, b)
    fields["weight_decay"] = 0.5
    for decay in ("before", "after"):
        h = ademamix.Hyper(**fields, alpha=0.0, decay=decay)  # type: ignore[arg-type]
        due = adamw.Hyper(**fields, decay=decay)  # type: ignore[arg-type]
        assert _agree(_bounded(ademamix, h, P, GRADIENTS)[1], _bounded(adamw, due, P, GRADIENTS)[1])


def test_ademamixs_schedules_run_from_their_starts_to_their_ends() -> None:
    """alpha rises linearly, beta3 from beta1 on by equal additions to its average's half life."""
    h = ademamix.Hyper(beta1=0.9, beta3=0.9999, alpha=6.0, alpha_warmup=4, beta3_warmup=4)
    values = [ademamix.mixing(h, k) for k in range(6)]
    assert [alpha for alpha, _ in values] == [0.0, 1.5, 3.0, 4.5, 6.0, 6.0]
    assert values[4][1] == values[5][1] == 0.9999
    lives = [-math.log(2) / math.log(beta3) for _, beta3 in values[:5]]
    steps = [f"{b - a:.6f}" for a, b in pairwise(lives)]
    assert f"{values[0][1]:.12f}" == f"{0.9:.12f}" and len(set(steps)) == 1


def test_ademamixs_counters_begin_at_one_or_zero() -> None:
    """With alpha 4 over 4 steps: the first step has alpha 1 and m2 g / 2, or alpha 0."""
    for counter, move in (("from_one", 1.5), ("from_zero", 1.0)):
        h = ademamix.Hyper(
            lr=1.0,
            beta1=0.5,
            beta2=0.75,
            beta3=0.5,
            alpha=4.0,
            alpha_warmup=4,
            eps=0.0,
            counter=counter,  # type: ignore[arg-type]
        )
        _, p = _run(ademamix, h, np.zeros(2), [[2.0, -8.0]])
        np.testing.assert_array_equal(p, [-move, move])


def test_ademamixs_steps_grow_after_the_gradients_stop() -> None:
    """beta3^2 > beta2: m2 / sqrt(v) grows where v alone decays, so that no step bound holds."""
    h = ademamix.Hyper(eps=0.0)
    s, p = _run(ademamix, h, np.zeros(1), 20 * [[1.0]])
    moves = []
    for _ in range(400):
        s, new = ademamix.step(h, s, p, np.zeros(1))
        moves.append(abs(new[0] - p[0]))
        p = new
    assert moves[-1] > moves[-100] > moves[-200]


def test_adan_on_constant_gradients_is_adam() -> None:
    """d = 0: Adam with (beta1, beta3), within rounding."""
    fields: dict[str, Any] = {"lr": 0.1, "beta1": 0.98, "eps": 1e-3}
    gradients = 5 * [GRADIENTS[0]]
    h = adan.Hyper(**fields, beta3=0.75, start="corrected")
    _, x = _bounded(adan, h, P, gradients)
    _, y = _bounded(adam, adam.Hyper(**fields, beta2=0.75), P, gradients)
    assert _agree(x, y)


def test_adans_first_step_is_adams_from_either_start() -> None:
    """Corrected averages of one gradient are that gradient, exactly for these betas."""
    for start in adan.DIALECTS["start"]:
        fields: dict[str, Any] = {"beta1": 0.5, "beta2": 0.75, "beta3": 0.75, "start": start}
        h = adan.Hyper(lr=0.5, eps=0.0, **fields)
        _, p = _run(adan, h, np.zeros(3), [[2.0, -5.0, 2.0**-40]])
        np.testing.assert_array_equal(p, [-0.5, 0.5, -0.5])


def test_adans_second_step_by_hand() -> None:
    """From g = 4 to 8 with betas 1/2: m = 6, v = d = 4 in full, n = (16 + 100) / 2 = 58."""
    h = adan.Hyper(lr=1.0, beta1=0.5, beta2=0.5, beta3=0.5, eps=0.0)
    s, p = _run(adan, h, np.zeros(1), [[4.0], [8.0]])
    assert (s.m[0], s.v[0], s.n[0], s.previous[0]) == (6.0, 4.0, 58.0, 8.0)
    assert p[0] == -1 - 8 / math.sqrt(58.0)


def test_adans_proximal_decay_divides() -> None:
    """At g = 0, lr weight_decay = 1: halves, exactly; the other form subtracts it all."""
    for decay, due in (("prox", 0.125), ("before", 0.0)):
        h = adan.Hyper(lr=0.5, weight_decay=2.0, decay=decay)  # type: ignore[arg-type]
        _, p = _run(adan, h, np.ones(2), np.zeros((3, 2)))
        np.testing.assert_array_equal(p, [due, due])


def test_prodigys_first_step_keeps_its_estimate_and_later_ones_never_lower_it() -> None:
    """p = p_0 makes the numerator zero; d is a maximum."""
    h = prodigy.Hyper(d0=2.0**-10)
    s, p = prodigy.init(h, P), P
    estimates = []
    for _ in range(12):
        s, p = prodigy.step(h, s, p, np.sign(p) * 0.5)
        estimates.append(float(s.d))
    assert estimates[0] == 2.0**-10 and estimates == sorted(estimates)
    assert estimates[-1] > estimates[0]


def test_prodigy_ignores_the_gradients_scale_and_the_origin() -> None:
    """With eps = 0: powers of two bit for bit; a shift of p within rounding."""
    h = prodigy.Hyper(d0=0.125, eps=0.0)
    ends = [_run(prodigy, h, P, c * GRADIENTS)[1] for c in (1.0, 2.0**30)]
    np.testing.assert_array_equal(*ends)
    integers = np.rint(8 * P)
    _, x = _bounded(prodigy, h, integers, GRADIENTS)
    _, y = _bounded(prodigy, h, integers + 16, GRADIENTS)
    assert _agree(x + 16, y)


def test_prodigys_weights_leave_the_estimate_alone() -> None:
    """Averages and sums over d0 have one ratio: the same p and d within rounding."""
    ends = [
        _bounded(prodigy, prodigy.Hyper(d0=0.125, weights=w), P, GRADIENTS)  # type: ignore[arg-type]
        for w in ("averaged", "over_d0")
    ]
    assert _agree(ends[0][1], ends[1][1]) and _agree(ends[0][0].d, ends[1][0].d)


def test_prodigy_waits_for_a_first_gradient() -> None:
    """A zero gradient leaves all but the counter; then the steps are those from the start."""
    h = prodigy.Hyper(d0=0.125, weight_decay=0.5)
    s, p = _run(prodigy, h, P, [0 * P])
    np.testing.assert_array_equal(p, P)
    assert s.t == 1 and s.d == 0.125 and not np.any(s.s)
    for g in GRADIENTS:
        s, p = prodigy.step(h, s, p, g)
    np.testing.assert_array_equal(p, _run(prodigy, h, P, GRADIENTS)[1])


def test_prodigy_of_joined_tensors_is_not_prodigy_of_each() -> None:
    """One estimate serves all: the parts would have moved by estimates of their own."""
    h = prodigy.Hyper(d0=0.125)
    _, joined = _run(prodigy, h, P, GRADIENTS)
    _, part = _run(prodigy, h, P[:3], GRADIENTS[:, :3])
    assert not np.array_equal(joined[:3], part)


def test_prodigys_growth_is_limited_but_for_its_first_estimate() -> None:
    """At d = d0 the estimate is taken and grows once; later d grows by at most growth_rate."""
    h = prodigy.Hyper(d0=0.125, growth="limited", growth_rate=1.25, d_coef=64.0)
    s, p = prodigy.init(h, P), P
    estimates = [0.125]
    for _ in range(6):
        s, p = prodigy.step(h, s, p, np.sign(P))
        estimates.append(float(s.d))
    grown = [b / a for a, b in pairwise(estimates) if a != 0.125]
    assert grown and max(grown) == 1.25 and s.d_max > s.d


def test_stable_adamws_moments_are_adams_corrected_ones() -> None:
    """Within rounding; the step is AdamW's as long as nothing is clipped."""
    fields: dict[str, Any] = {"lr": 0.1, "beta2": 0.75, "eps": 1e-3, "weight_decay": 0.5}
    h = stable_adamw.Hyper(**fields, clip_threshold=1e6)
    s, x = _bounded(stable_adamw, h, P, GRADIENTS)
    a, y = _bounded(adamw, adamw.Hyper(**fields, decay="before"), P, GRADIENTS)
    t = len(GRADIENTS)
    assert _agree(s.m, a.m / (1 - 0.9**t)) and _agree(s.v, a.v / (1 - 0.75**t))
    assert _agree(x, y)


def test_stable_adamws_first_step_is_not_clipped_whatever_the_gradient() -> None:
    """v_1 = g^2 exactly: RMS_1 = 1, or the root of the share of nonzero elements."""
    h = stable_adamw.Hyper(lr=0.5, eps=0.0, weight_decay=0.0)
    _, p = _run(stable_adamw, h, np.zeros(3), [[2.0**60, -3.0, 2.0**-40]])
    np.testing.assert_array_equal(p, [-0.5, 0.5, -0.5])


def test_stable_adamw_divides_lr_by_the_size_of_a_surprise() -> None:
    """g = 1 then 9 with betas 1/2, whose beta_2 = 1/3: v = (1 + 2 81) / 3, RMS^2 = 81 / v."""
    for decay, factor in (("clipped", "eta"), ("lr", "lr")):
        h = stable_adamw.Hyper(
            lr=1.0,
            beta1=0.5,
            beta2=0.5,
            eps=0.0,
            weight_decay=0.25,
            decay=decay,  # type: ignore[arg-type]
        )
        s = stable_adamw.State(1, np.ones(1), np.ones(1))
        _, x = _bounded_step(h, s, np.array([4.0]), np.array([9.0]))
        v, m = (1 + 2 * 81) / 3, (1 + 2 * 9) / 3
        eta = 1 / math.sqrt(81 / v)
        shrink = 1 - 0.25 * (eta if factor == "eta" else 1.0)
        assert f"{x.v[0]:.13f}" == f"{4 * shrink - eta * m / math.sqrt(v):.13f}"


def _bounded_step(h: Any, s: Any, p: Any, g: Any) -> tuple[Any, Any]:
    fields = {f.name: getattr(s, f.name) for f in dataclasses.fields(s)}
    lifted = bounded(ORACLE).state(stable_adamw.State, fields)
    x, y = Bounded.exact(p, ORACLE), Bounded.exact(g, ORACLE)
    return stable_adamw.step(bounded(ORACLE).hyper(h), lifted, x, y)


def test_adam_for_16_bits_is_adam_above_its_floor_and_bounded_below() -> None:
    """v_hat >= eps: Adam without eps; v_hat < eps: lr m_hat / sqrt(eps)."""
    g = np.array([4.0, -0.25])
    for floor, small in (("inside", 0.25 / 0.5), ("outside", 1.0)):
        h = adam_16bit.Hyper(
            lr=1.0,
            beta1=0.5,
            beta2=0.75,
            eps=0.25,
            floor_placement=floor,  # type: ignore[arg-type]
        )
        _, p = _run(adam_16bit, h, np.zeros(2), [g])
        np.testing.assert_array_equal(p, [-1.0, small])
    large = 1 + np.abs(GRADIENTS)
    _, x = _bounded(adam_16bit, adam_16bit.Hyper(lr=0.1), P, large)
    _, y = _bounded(adam, adam.Hyper(lr=0.1, eps=0.0), P, large)
    assert _agree(x, y)


@pytest.mark.parametrize(
    "rule", ["adam_16bit", "adan", "ademamix", "schedule_free_adamw", "stable_adamw"]
)
def test_gradient_and_eps_scale_together(rule: str) -> None:
    """By 2^20: bit for bit, eps scaling as its place in the root says."""
    module = OPTIMIZERS[rule]
    power = 2 if rule == "adam_16bit" else 1
    ends = []
    for c in (1.0, 2.0**20):
        h = module.Hyper(lr=0.1, eps=1e-3 * c**power)
        ends.append(_run(module, h, P, c * GRADIENTS)[1])
    np.testing.assert_array_equal(*ends)
