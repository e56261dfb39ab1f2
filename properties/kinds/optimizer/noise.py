"""Stochastic stores: their noise is new for every element, tensor and call, and without a bias.

Two equal tensors take the same step, in one call and again in another. An element that lies between
two stored numbers goes up with a probability that its place between them says, and two results of
it differ with another; over thousands of elements the counts of both stay within what sums of
independent events exceed with probability FALSE_ALARM, shared among all of them (Bernstein's
inequality). So do the elements that go up weighted by their sign and by their place: exchanged, up
and down would be as frequent. And what elements at a distance err by, up or away from zero, does
not correlate: they draw numbers of their own.
"""

from collections.abc import Iterator

import numpy as np

from truestep.fast.protocol import OptimizerBackend, OptimizerCapability, Stepped
from truestep.properties.arithmetic.formats import Format
from truestep.properties.arithmetic.lift import plain, stepped
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.arithmetic.sampled import FALSE_ALARM
from truestep.properties.cases.hypers import continuous
from truestep.properties.cases.tensors import TensorSpec
from truestep.properties.judge.contracts import Judged, Judgement
from truestep.properties.judge.records import Place
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.properties.kinds.optimizer.chances import Errors, at_distances
from truestep.properties.kinds.optimizer.counts import Float, events, weighted
from truestep.properties.kinds.optimizer.step import Steps, begun, called
from truestep.properties.kinds.optimizer.storage import rule_of
from truestep.reference.optimizers import OPTIMIZERS

NAME = "independent_noise"
_SHAPE = (64, 96)
# A format's digits that its numbers have to lack, so that float64 tells where between two a result
# of the kernel's own format lies.
_LACKING = 12
_WAYS = (
    "goes up", "goes up, by its sign", "goes up, by its place between two",
    "differs between equal tensors", "differs between equal calls", "errs as one at a distance",
)  # fmt: skip


def applies(capability: OptimizerCapability) -> bool:
    """Whether tensors are stored by stochastic rounding, and several are taken at once."""
    open_ = capability.single or rule_of(capability).FACTS.observables
    return bool(_tensors(capability)) and not open_


def _tensors(capability: OptimizerCapability) -> list[str]:
    """What is stored by stochastic rounding, and coarsely enough; not what is kept as codes."""
    made, rule = arithmetic_of(capability.arithmetic), OPTIMIZERS[capability.rule]
    if made.rounding != "stochastic" or capability.storage:
        return []
    names = ("p", *rule.State.BEHAVIOUR)
    return [x for x in names if made.format.precision - made.stored(x).precision >= _LACKING]


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
    due, names = stepped(rule, group.hyper, group.slots[0], plain()), _tensors(capability)
    level = FALSE_ALARM / (len(_WAYS) * len(names))
    yield (
        [group],
        [
            Judged(0, 0, way, name, judgement)
            for name in names
            for way, judgement in enumerate(
                _counts(
                    np.asarray(due[name]),
                    [[_given(new, name) for new in made] for made in results],
                    arithmetic_of(capability.arithmetic).stored(name),
                    level,
                )
            )
        ],
    )


def _given(new: Stepped, name: str) -> Float:
    return np.asarray(new.param if name == "p" else new.state[name]).astype(np.float64)


def _counts(
    due: Float, results: list[list[Float]], where: Format, level: float
) -> Iterator[Judgement]:
    """What is counted, in the order of _WAYS."""
    [[first, second], [again, _]] = results
    low, high = neighbours(due, where)
    between = high > low
    part = np.where(between, (due - low) / np.where(between, high - low, 1.0), 0.0)
    up = (first == high) & between
    yield events(int(np.sum(up)), part, level)
    for weights in (np.sign(due), 2 * part - 1):
        yield weighted(up, part, weights, level)
    for other in (second, again):
        yield events(int(np.sum(first != other)), 2 * part * (1 - part), level)
    flat, sign = part.reshape(-1), np.sign(due).reshape(-1)
    unsure, open_ = np.zeros(flat.size), between.reshape(-1)
    errors = Errors(up.reshape(-1) - flat, unsure, open_, flat, sign)
    yield max(at_distances(errors, level), key=lambda judgement: judgement.utilisation or 0.0)


def neighbours(x: Float, where: Format) -> tuple[Float, Float]:
    """The largest number of the format that is not above x, and the least not below it."""
    near = where.round(x)
    spacing = 2 * where.u * 2.0 ** np.floor(np.log2(np.maximum(np.abs(x), where.least_normal)))
    low = np.where(near > x, where.round(near - spacing), near)
    return low, np.where(near < x, where.round(near + spacing), near)


def place(found: Judged) -> Place:
    """What was counted, in words."""
    told = (
        f"of {found.judgement.judged} elements, those of which {found.tensor} {_WAYS[found.slot]}"
    )
    return Place(f"{told}: their number", {"group": 0, "slot": 0})
