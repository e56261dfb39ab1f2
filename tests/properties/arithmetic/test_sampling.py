"""The sampled contract: correct float32 kernels stay within it, wrong ones do not."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import fdtri, stdtrit

from truestep.fast.protocol import Slot, Stepped
from truestep.properties.arithmetic.sampled import FALSE_ALARM, root_mean_square
from truestep.properties.judge.contracts import judge_sampled
from truestep.properties.judge.results import SLACK
from truestep.properties.kinds.optimizer import sampling
from truestep.properties.soundness.bounded import choices, drawn_slot
from truestep.properties.soundness.sampled import FLOAT32, RULES, judgements, narrow_step, soundness
from truestep.reference.optimizers import OPTIMIZERS, Rule

# Float32 steps per rule; the thorough search is `make deep`.
EXAMPLES = int(os.environ.get("TRUESTEP_SOUNDNESS_EXAMPLES", "24"))


def coarse_gradient(rule: Rule, hyper: Any, slot: Slot) -> Stepped:
    """A kernel that reads the gradient in float16."""
    with np.errstate(over="ignore"):
        g = np.asarray(slot.grad).astype(np.float16).astype(np.float32)
    return narrow_step(rule, hyper, dataclasses.replace(slot, grad=g))


def rate_off(rule: Rule, hyper: Any, slot: Slot) -> Stepped:
    """A kernel whose lr is too large by one part in a thousand."""
    return narrow_step(rule, dataclasses.replace(hyper, lr=hyper.lr * 1.001), slot)


def stale_tail(rule: Rule, hyper: Any, slot: Slot) -> Stepped:
    """A kernel that leaves the last element as it was."""
    new = narrow_step(rule, hyper, slot)
    new.param.reshape(-1)[-1] = np.asarray(slot.param).reshape(-1)[-1]
    return new


def neighbour(rule: Rule, hyper: Any, slot: Slot) -> Stepped:
    """A kernel that swaps the first two elements of the gradient."""
    g = np.array(slot.grad)
    flat = g.reshape(-1)
    flat[[0, 1]] = flat[[1, 0]]
    return narrow_step(rule, hyper, dataclasses.replace(slot, grad=g))


MUTANTS: dict[str, Callable[[Rule, Any, Slot], Stepped]] = {
    "coarse_gradient": coarse_gradient,
    "neighbour": neighbour,
    "rate_off": rate_off,
    "stale_tail": stale_tail,
}


@pytest.mark.parametrize("name", RULES)
def test_float32_kernels_stay_within_the_contract(name: str) -> None:
    """NumPy in float32 on the reference's lines, in every dialect, at many scales."""
    examples = max(EXAMPLES, len(choices(OPTIMIZERS[name])))
    record = soundness(name, examples, seed=8)
    assert record.utilisation <= SLACK, record.worst
    assert record.judged_fraction > 0.5


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.parametrize("name", RULES)
def test_wrong_kernels_leave_the_contract(name: str, mutant: str) -> None:
    """A small fault shows within a few cases, whatever the rule."""
    for case in range(40):
        for _, found in judgements(name, 9, case, MUTANTS[mutant]):
            if (found.utilisation or 0.0) > SLACK:
                return
    raise AssertionError(f"{mutant} is not seen in {name}")


@pytest.mark.parametrize("side", ["left", "right", "both"])
def test_moments_at_a_later_refresh_are_judged_by_the_kernels_own_signs(
    side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the signs of its singular vectors: m and p follow from them, and faults show."""
    galore = OPTIMIZERS["galore"]
    hyper = galore.Hyper(lr=1.0, eps=1.0, rank=2, update_gap=1, side=side)
    rng = np.random.default_rng(5)
    p, first, g = (np.float32(rng.standard_normal((3, 4))) for _ in range(3))
    before, p = galore.step(hyper, galore.init(hyper, p), p, first)
    state = {k: x if k == "t" else np.float32(x) for k, x in vars(before).items()}
    slot = Slot(np.float32(p), g, state)
    for signs in ((1, 1, 1), (-1, 1, -1), (-1, -1, 1)):
        with monkeypatch.context() as patched:
            patched.setattr(np.linalg, "svd", _flipping(signs))
            new = narrow_step(galore, hyper, slot)
            slow = narrow_step(galore, dataclasses.replace(hyper, beta1=0.91), slot)
        found = dict(sampling.judgements(galore, hyper, slot, new, FLOAT32))
        assert set(found) == {"left", "right", "v", "m", "p"}
        assert all(j.passed and j.judged == j.elements for j in found.values() if j.elements)
        wrong = dict(sampling.judgements(galore, hyper, slot, slow, FLOAT32))
        assert not wrong["m"].passed and not wrong["p"].passed


def _flipping(signs: Any) -> Any:
    svd = np.linalg.svd

    def flipped(a: Any, full_matrices: bool) -> Any:
        u, s, vt = svd(a, full_matrices)
        return u * np.float32(signs), s, vt * np.float32(signs)[:, None]

    return flipped


@pytest.mark.parametrize("coefficient", ["ns_a", "ns_b", "ns_c"])
def test_a_coefficient_wrong_by_a_ten_thousandth_is_seen(coefficient: str) -> None:
    """Muon's published coefficients are held to within 1e-4 of themselves."""
    muon = OPTIMIZERS["muon"]
    hyper = muon.Hyper(lr=1.0)
    value = getattr(hyper, coefficient)
    wrong = dataclasses.replace(hyper, **{coefficient: value * (1 + 1e-4)})
    slot = drawn_slot(muon, hyper, FLOAT32, np.random.default_rng(4), ranges=((-2, 0),))
    found = dict(sampling.judgements(muon, hyper, slot, narrow_step(muon, wrong, slot), FLOAT32))
    assert (found["p"].utilisation or 0.0) > SLACK
    right = dict(sampling.judgements(muon, hyper, slot, narrow_step(muon, hyper, slot), FLOAT32))
    assert (right["p"].utilisation or 9.0) <= SLACK


def rows(value: float, strays: Any) -> Any:
    """One element's value and replicates."""
    return np.concatenate([[value], value + np.asarray(strays)])[:, None]


def test_false_alarms_keep_to_their_probability() -> None:
    """Errors drawn like the replicates' pass: a hundred thousand elements, no false alarm."""
    rng = np.random.default_rng(1)
    n, count = 400, 32
    for _ in range(250):
        value = rng.standard_normal(n)
        sampled = value + 1e-6 * np.concatenate([np.zeros((1, n)), rng.standard_normal((count, n))])
        got = value + 1e-6 * rng.standard_normal(n)
        judged = judge_sampled(got, sampled, np.repeat(value[None], 9, axis=0))
        assert judged.passed


@pytest.mark.parametrize("count", [8, 32])
def test_an_error_passes_up_to_what_its_probability_allows(count: int) -> None:
    """One element's utilisation is 1 at Student's quantile of its replicates."""
    rng = np.random.default_rng(11)
    strays = 1e-6 * rng.standard_normal(count)
    sampled, exact = rows(1.0, strays), rows(1.0, np.zeros(8))
    limit = float(stdtrit(count, 1 - FALSE_ALARM / 2)) * np.sqrt(np.mean(strays**2))
    for share in (0.999, 1.001):
        found = judge_sampled(np.asarray([1 + share * limit]), sampled, exact).utilisation
        assert found is not None and (found <= 1) == (share < 1)


@pytest.mark.parametrize("elements", [50, 400])
def test_a_tensor_passes_up_to_what_its_probability_allows(elements: int) -> None:
    """Of errors of one size in all elements the utilisation is 1 at Fisher's quantile."""
    rng = np.random.default_rng(12)
    value, count = rng.standard_normal(elements), 32
    strays = 1e-6 * rng.standard_normal((count, elements))
    sampled = np.concatenate([value[None], value + strays])
    exact = np.repeat(value[None], 9, axis=0)
    spread = root_mean_square(sampled[1:] - value)
    limit = np.sqrt(fdtri(elements, count * elements, 1 - FALSE_ALARM))
    # The effective number of independent errors is an estimate: within a few parts in a hundred.
    for share in (0.95, 1.1):
        found = judge_sampled(value + share * limit * spread, sampled, exact).utilisation
        assert found is not None and (found <= 1) == (share < 1)


def test_what_all_replicates_agree_on_is_due_exactly() -> None:
    """No spread, no tolerance; another bit pattern fails, and so does a nan."""
    flat = rows(0.5, np.zeros(32))
    assert judge_sampled(np.asarray([0.5]), flat, flat).utilisation == 0
    assert judge_sampled(np.asarray([0.5 + 2.0**-30]), flat, flat).utilisation == np.inf
    assert judge_sampled(np.asarray([np.nan]), flat, flat).utilisation == np.inf


def test_what_replicates_do_not_determine_is_not_judged() -> None:
    """Strays of the tensor's own size, and replicates that are not finite, leave nothing to say."""
    rng = np.random.default_rng(2)
    wild, exact = rows(1.0, rng.standard_normal(32)), rows(1.0, np.zeros(8))
    assert judge_sampled(np.asarray([7.0]), wild, exact).judged == 0
    lost = rows(1.0, np.where(np.arange(32) == 3, np.nan, 0.0))
    assert judge_sampled(np.asarray([7.0]), lost, exact).judged == 0


def test_a_common_error_counts_once() -> None:
    """Where all elements err together the tensor is judged as one number, not as a thousand.

    So do equal elements, whatever the replicates show: a kernel rounds them alike.
    """
    rng = np.random.default_rng(3)
    value = 1 + np.arange(1000) / 1000
    common = 1e-6 * rng.standard_normal((32, 1)) * value
    sampled = np.concatenate([value[None], value + common])
    exact = np.repeat(value[None], 9, axis=0)
    got = value + 3e-6
    assert (judge_sampled(got, sampled, exact).utilisation or 9.0) < 1
    errors = 1e-6 * rng.standard_normal((32, 1000))
    apart = np.concatenate([value[None], value + errors])
    assert (judge_sampled(got, apart, exact).utilisation or 0.0) > 1
    equal = np.concatenate([np.ones((1, 1000)), 1 + errors])
    assert (judge_sampled(np.full(1000, 1 + 3e-6), equal, equal[[0] * 9]).utilisation or 9.0) < 1
