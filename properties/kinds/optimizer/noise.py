"""Stochastic stores: their noise is new for every element, tensor and call, and without a bias.

Two equal tensors take the same step, in one call and again in another. An element that lies between
two stored numbers goes up with a probability that its place between them says, and two results of
it differ with another; over thousands of elements the counts of both stay within what sums of
independent events exceed with probability FALSE_ALARM (Bernstein's inequality).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import OptimizerBackend, OptimizerCapability, Stepped
from truestep.properties.arithmetic.formats import Format
from truestep.properties.arithmetic.lift import plain, stepped
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.arithmetic.sampled import FALSE_ALARM
from truestep.properties.cases.hypers import continuous
from truestep.properties.cases.tensors import TensorSpec
from truestep.properties.judge.contracts import SLACK, Judged, Judgement, not_judged
from truestep.properties.judge.records import Place
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.properties.kinds.optimizer.step import Steps, begun, called
from truestep.properties.kinds.optimizer.storage import rule_of

NAME = "independent_noise"
_SHAPE = (64, 96)
# A format's digits that its numbers have to lack, so that float64 tells where between two a result
# of the kernel's own format lies.
_LACKING = 12
_WAYS = ("goes up", "differs between equal tensors", "differs between equal calls")


def applies(capability: OptimizerCapability) -> bool:
    """Whether the parameter is stored by stochastic rounding, and several are taken at once."""
    made = arithmetic_of(capability.arithmetic)
    coarser = made.format.precision - made.stored("p").precision >= _LACKING
    open_ = capability.single or capability.storage or rule_of(capability).FACTS.observables
    return made.rounding == "stochastic" and coarser and not open_


def case(capability: OptimizerCapability, seed: int) -> OptimizerCase:
    """One group of two tensors with the same numbers."""
    rng = np.random.default_rng(seed)
    number = int(rng.integers(2**32))
    slot = SlotCase(
        TensorSpec(_SHAPE, "spread", seed=number), TensorSpec(_SHAPE, "normal", seed=number ^ 1),
        t=9, history=3,
    )  # fmt: skip
    given = {**capability.dialect, **capability.fixed}
    return OptimizerCase(
        (GroupCase(continuous(rule_of(capability), given, rng), (slot, slot)),), steps=1
    )


def judged(
    backend: OptimizerBackend, capability: OptimizerCapability, case: OptimizerCase
) -> Steps:
    """The step, twice, and what is counted of the parameters."""
    rule = rule_of(capability)
    [group] = begun(rule, capability, case)
    results = [called(rule, backend, capability, [group])[0] for _ in range(2)]
    due = np.asarray(stepped(rule, group.hyper, group.slots[0], plain())["p"])
    where = arithmetic_of(capability.arithmetic).stored("p")
    yield (
        [group],
        [
            Judged(0, 0, way, "p", judgement)
            for way, judgement in enumerate(_counts(due, results, where))
        ],
    )


def _counts(
    due: NDArray[np.float64], results: list[list[Stepped]], where: Format
) -> Iterator[Judgement]:
    """What is counted, in the order of _WAYS."""
    [[first, second], [again, _]] = [
        [new.param.astype(np.float64) for new in result] for result in results
    ]
    low, high = neighbours(due, where)
    part = np.where(high > low, (due - low) / np.where(high > low, high - low, 1.0), 0.0)
    yield _within(int(np.sum((first == high) & (high > low))), part)
    for other in (second, again):
        yield _within(int(np.sum(first != other)), 2 * part * (1 - part))


def neighbours(
    x: NDArray[np.float64], where: Format
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest number of the format that is not above x, and the least not below it."""
    near = where.round(x)
    spacing = 2 * where.u * 2.0 ** np.floor(np.log2(np.maximum(np.abs(x), where.least_normal)))
    low = np.where(near > x, where.round(near - spacing), near)
    return low, np.where(near < x, where.round(near + spacing), near)


def _within(count: int, chances: NDArray[np.float64]) -> Judgement:
    """A count of independent events with these probabilities."""
    mean, variance = float(np.sum(chances)), float(np.sum(chances * (1 - chances)))
    level = np.log(2 / FALSE_ALARM)
    # Bernstein: P(|X - mean| >= t) <= 2 exp(-t^2 / (2 (variance + t / 3))), solved for t.
    limit = level / 3 + float(np.sqrt((level / 3) ** 2 + 2 * level * variance))
    if limit >= mean:
        return not_judged(chances.size)
    excess = abs(count - mean)
    return Judgement(
        elements=chances.size, judged=chances.size, utilisation=SLACK * excess / limit, index=(),
        got=float(count), oracle=mean, bound=limit / SLACK, oracle_fraction=0.0,
        histogram=not_judged(0).histogram,
    )  # fmt: skip


def place(found: Judged) -> Place:
    """What was counted, in words."""
    told = (
        f"of {found.judgement.judged} elements, those of which {found.tensor} {_WAYS[found.slot]}"
    )
    return Place(f"{told}: their number", {"group": 0, "slot": 0})
