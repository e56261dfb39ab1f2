"""The direction in which a kernel rounds: a statistic over cases that no bound can see.

A kernel that truncates stays within twice the bound of one that rounds to nearest. But it errs
toward zero in nearly every case, and the other one in half of them. In every case a tensor leans
one way or the other: its errors, by the sign of most of its elements, point toward zero or away,
and up or down. Cases have hyperparameters of their own, drawn continuously, since a constant that
is rounded once pulls all elements of a case along; so the directions of cases are independent, and
if the kernel rounds to nearest as likely one as the other. The excess of one over the other is due
to stay below what a fair coin exceeds with probability FALSE_ALARM.

Sums that no hyperparameter enters may lean by themselves: a square of a bfloat16 number ends in the
bits 001, which rounding to nearest cuts off, when it is stored or in a sum. What leans where the
definition's own value is stored to nearest, its sums made one after another in float32, is not
judged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from typing import TypeAlias

import numpy as np
from scipy.special import bdtrc

from truestep.fast.protocol import OptimizerBackend, OptimizerCapability, Slot, Stepped
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.arithmetic.in_sequence import in_sequence
from truestep.properties.arithmetic.lift import plain, stepped
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.arithmetic.sampled import FALSE_ALARM
from truestep.properties.cases.hypers import continuous
from truestep.properties.cases.tensors import TensorSpec
from truestep.properties.judge.contracts import Judged, Judgement, not_judged
from truestep.properties.judge.records import Place
from truestep.properties.judge.results import SLACK
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.properties.kinds.optimizer.counts import Float
from truestep.properties.kinds.optimizer.fitting import fitted
from truestep.properties.kinds.optimizer.step import Steps, begun, called
from truestep.properties.kinds.optimizer.storage import rule_of
from truestep.reference.declared import Hyper
from truestep.reference.rules import Optimizer

# Of a kernel's tensor, and of the definition's value rounded to nearest.
Leaning: TypeAlias = tuple[int, int]

NAME = "direction_of_rounding"
# Cases: a kernel that leans in nine of ten is found, one that leans in seven of ten is not.
_CASES = 60
# Whole vectors and blocks, beyond the sizes below which kernels take another path; and what is left
# of them, which kernels round in a loop of its own. In thousands of elements, where they take
# another path again, all of them lean together.
_SHAPE, _LARGE = (16, 17), (65, 64)
_PARTS, _OF_LARGE = (slice(0, 256), slice(256, None)), (slice(None),)
_LATEST = 1000
_WAYS = tuple(
    f"{way}{part}"
    for part in ("", " at its end", " in thousands of elements")
    for way in ("toward zero", "downwards")
)
# A reference in float64 must be far more exact than what it is to tell the error of.
_FINEST = 2.0**-40


def applies(capability: OptimizerCapability) -> bool:
    """Whether every operation of the kernel is declared to round to nearest, and coarsely enough.

    Rules judged by replicates are left out, and state in codes. A hyperparameter that is held fixed
    is rounded the same way in every case, unless its format holds it exactly.
    """
    a = arithmetic_of(capability.arithmetic)
    nearest = max(a.ulps_division, a.ulps_sqrt) <= 0.5 and a.subnormals == "kept"
    coarse = min(format_named(x).u for x in (a.compute, *a.storage.values())) > _FINEST
    exact = all(_exact(x, a.compute) for x in capability.fixed.values())
    plain = not capability.storage and not rule_of(capability).FACTS.observables
    return nearest and coarse and exact and plain


def _exact(value: object, name: str) -> bool:
    values = value if isinstance(value, tuple) else (value,)
    numbers = np.array([float(x) for x in values if isinstance(x, (int, float))])
    return bool(np.all(format_named(name).round(numbers) == numbers))


def case(capability: OptimizerCapability, seed: int) -> OptimizerCase:
    """One case of many groups, each of one tensor with hyperparameters of its own."""
    rng = np.random.default_rng(seed)
    fixed = {**capability.dialect, **capability.fixed}
    groups = []
    # The way from a point of the past that is the parameter itself is nothing but its rounding.
    travels = any(x.moves for x in rule_of(capability).State.BEHAVIOUR.values())
    # An example that is classified rightly moves nothing: half of a perceptron's.
    times = 2 if "response" in rule_of(capability).FACTS.inputs else 1
    for i, shape in product(range(times * _CASES), (_SHAPE, _LARGE)):
        t = int(rng.integers(1, min(_LATEST, capability.reach)))
        number = int(rng.integers(2**32))
        slot = SlotCase(
            TensorSpec(shape, "normal", seed=number),
            TensorSpec(shape, "normal", seed=number ^ 1, exponent=i % 5 - 3),
            t=t,
            history=min(t, 3),
            travels=travels,
        )
        groups.append(GroupCase(continuous(rule_of(capability), fixed, rng), (slot,)))
    # Fitted group by group: one that takes a single tensor is called once for each.
    alone = (fitted(OptimizerCase((group,), steps=1), capability).groups[0] for group in groups)
    return OptimizerCase(tuple(alone), steps=1)


def judged(
    backend: OptimizerBackend, capability: OptimizerCapability, case: OptimizerCase
) -> Steps:
    """One step on every group, and of each tensor how many of them lean which way."""
    rule = rule_of(capability)
    groups = begun(rule, capability, case)
    calls = [[group] for group in groups] if capability.single else [groups]
    results = [made for each in calls for made in called(rule, backend, capability, each)]
    leanings: dict[tuple[str, int], list[Leaning]] = {}
    for group, [new] in zip(groups, results, strict=True):
        for name, way, found in _leanings(rule, group.hyper, group.slots[0], new):
            leanings.setdefault((name, way), []).append(found)
    # The way stands in the place of the slot: what is judged is of all of them.
    yield (
        groups,
        [
            Judged(0, 0, way, name, _judgement(*zip(*found, strict=True)))
            for (name, way), found in leanings.items()
        ],
    )


def place(found: Judged) -> Place:
    """What was counted, in words."""
    told = f"of {found.judgement.judged} cases, those in which {found.tensor} leans"
    return Place(f"{told} {_WAYS[found.slot]}: their number", {"group": 0, "slot": 0})


def _leanings(
    rule: Optimizer, hyper: Hyper, slot: Slot, new: Stepped
) -> Iterator[tuple[str, int, Leaning]]:
    """Of each tensor, by way, whether most elements lean so (1), the other way (-1) or neither (0).

    One that stands still has not been rounded: the larger of itself and its like errs one way.
    Beside it the same of the definition's value, its sums made in sequence, rounded to nearest.
    """
    large = slot.param.size > np.prod(_SHAPE)
    parts, first = (_OF_LARGE, 2 * len(_PARTS)) if large else (_PARTS, 0)
    with np.errstate(all="ignore"):
        summed = stepped(rule, hyper, slot, in_sequence())
    for name, due in stepped(rule, hyper, slot, plain()).items():
        old, got = (
            np.asarray(x) for x in
            ((slot.param, new.param) if name == "p" else (slot.state[name], new.state[name]))
        )  # fmt: skip
        if got.dtype.kind not in "iub":
            with np.errstate(invalid="ignore", over="ignore"):
                nearest = np.asarray(summed[name]).astype(got.dtype)
            own, control = (_signed(x, old, due) for x in (got, nearest))
            for way, (part, (x, y)) in enumerate(product(parts, zip(own, control, strict=True))):
                yield name, first + way, (_most(x[part]), _most(y[part]))


def _signed(got: Float, old: Float, due: Float) -> list[Float]:
    """The errors of what is not as it was, toward zero and downwards, flat."""
    with np.errstate(invalid="ignore"):
        error = np.where(got == old, 0.0, got.astype(np.float64) - due)
    return [np.reshape(x, -1) for x in (-error * np.sign(due), -error)]


def _most(signed: Float) -> int:
    return int(np.sign(np.sum(np.sign(signed[np.isfinite(signed)]))))


def _judgement(found: Sequence[int], nearest: Sequence[int]) -> Judgement:
    """Of cases that lean one way (1), the other (-1) or neither (0)."""
    count, leaning = sum(map(abs, found)), sum(map(abs, nearest))
    most = limit(count)
    # Too few to tell, or values that lean by themselves.
    if most >= count or abs(sum(nearest)) > limit(leaning):
        return not_judged(len(found))
    excess = abs(sum(found))
    return replace(
        not_judged(len(found)),
        judged=count,
        # A judgement passes up to its slack, a test up to its limit.
        utilisation=SLACK * excess / most,
        got=float(sum(x > 0 for x in found)),
        oracle=count / 2,
        bound=most / SLACK / 2,
    )


@cache
def limit(count: int) -> int:
    """The largest excess of one side over the other in so many cases that chance accounts for."""
    # bdtrc(k, n, 1/2): that more than k of n lean one way. scipy.stats takes half a second to load.
    most = next(k for k in range(count // 2, count + 1) if bdtrc(k, count, 0.5) <= FALSE_ALARM / 2)
    return 2 * most - count
