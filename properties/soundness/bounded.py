"""Soundness of the bounds: no faithful evaluation of a rule may leave the contract derived for it.

Random hyperparameters, counts, reachable states and inputs of many scales are evaluated by a
simulated kernel (a random association of the written formula, fused or not, in the narrow format)
and judged by the same bound and the same comparator that judge a backend. A violation means that
the error model lacks a rounding. What this does not show: soundness for evaluation orders that the
simulation never takes.
"""

import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import Slot
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.formats import Format
from truestep.properties.arithmetic.lift import bounded, simulated, stepped
from truestep.properties.arithmetic.profiles import ORACLE, Arithmetic, arithmetic_of
from truestep.properties.arithmetic.world import World
from truestep.properties.cases.hypers import drawn
from truestep.properties.judge.contracts import Judgement, judge
from truestep.properties.judge.results import SLACK
from truestep.reference.advance import advanced
from truestep.reference.declared import Hyper, fields_of
from truestep.reference.optimizers import OPTIMIZERS, Rule

# Rules whose steps no element-wise bound covers, and what judges them instead.
ELSEWHERE: dict[str, str] = {}
RULES = tuple(
    name
    for name, rule in OPTIMIZERS.items()
    if name not in ELSEWHERE and not rule.FACTS.observables
)
ELEMENTS = 32  # per tensor: enough to pay for one evaluation, few enough to vary everything else
ORDERS = 3  # simulated kernels per case: an evaluation of the bound costs as much as two of them


@dataclass(frozen=True, slots=True)
class Record:
    """What a search for violations showed: counts, and the case of largest utilisation.

    examples: simulated steps; elements: numbers compared in them. worst: the rule's choices, the
    tensor and the numbers of the worst element in hex, with the seed and case that reproduce it.
    """

    rule: str
    arithmetic: str
    examples: int
    elements: int
    utilisation: float
    judged_fraction: float
    seconds: float
    worst: Mapping[str, object]

    @property
    def sound(self) -> bool:
        """Whether no simulated kernel left its contract."""
        return self.utilisation <= SLACK


# A judgement, and what tells where it stands.
Found = tuple[Judgement, Mapping[str, object]]


def recorded(rule: str, arithmetic: str, examples: int, found: Iterable[Found]) -> Record:
    """The record of so many examples, from all their judgements."""
    begin = time.perf_counter()
    elements = judged = 0
    utilisation, worst = 0.0, dict[str, object]()
    for j, told in found:
        elements += j.elements
        judged += j.judged
        if (j.utilisation or 0.0) > utilisation or not worst:
            utilisation, worst = j.utilisation or 0.0, {**told, "bound": j.bound}
    fraction = judged / elements if elements else 0.0
    seconds = time.perf_counter() - begin
    return Record(rule, arithmetic, examples, elements, utilisation, fraction, seconds, worst)


def soundness(rule: str, profile: str | Arithmetic, examples: int, seed: int = 0) -> Record:
    """Judge at least so many simulated steps of a rule; every dialect value takes its turn."""
    arithmetic, cases = arithmetic_of(profile), -(-examples // ORDERS)
    found = (
        one
        for case in range(cases)
        for one in case_judgements(OPTIMIZERS[rule], arithmetic, seed, case)
    )
    return recorded(rule, arithmetic.name, cases * ORDERS, found)


def case_judgements(rule: Rule, arithmetic: Arithmetic, seed: int, case: int) -> Iterator[Found]:
    """The judgements of one case: ORDERS simulated steps from the same drawn slot."""
    rng = np.random.default_rng((seed, case))
    hyper = drawn_hyper(rule, rng, case)
    slot = drawn_slot(rule, hyper, arithmetic, rng)
    expected = stepped(rule, hyper, slot, bounded(arithmetic))
    oracle = stepped(rule, hyper, slot, bounded(ORACLE))
    for order in range(ORDERS):
        world = World(arithmetic, np.random.default_rng((seed, case, order)))
        got = stepped(rule, hyper, slot, simulated(world))
        for name, x in got.items():
            if not isinstance(expected[name], Bounded):  # a counter, or what no number enters
                continue
            j = judge(x, expected[name], oracle[name])
            yield (
                j,
                {
                    "seed": seed,
                    "case": case,
                    "hyper": fields_of(hyper),
                    "order": order,
                    "tensor": name,
                    "t": slot.state["t"],
                    "got": float(j.got).hex(),
                    "oracle": float(j.oracle).hex(),
                    "inputs": _inputs(slot, np.shape(x), j.index),
                },
            )


def _inputs(slot: Slot, shape: tuple[int, ...], index: tuple[int, ...] | None) -> dict[str, str]:
    tensors = {"p": slot.param, "g": slot.grad, **slot.state}
    return {
        name: float(np.asarray(x)[index if np.ndim(x) else ()]).hex()
        for name, x in tensors.items()
        if index is not None and np.shape(x) in ((), shape)
    }


COUNTS = (0, 1, 2, 3, 9, 99, 999, 12345, 2**20, 2**24 + 1)


def choices(rule: Rule) -> list[dict[str, str]]:
    """Every dialect value one at a time: the default form, then each alternative of each field."""
    default = {f.name: f.default for f in dataclasses.fields(rule.Hyper)}
    return [
        {},
        *(
            {field: value}
            for field, values in rule.DIALECTS.items()
            for value in values
            if value != default[field]
        ),
    ]


def drawn_hyper(rule: Rule, rng: np.random.Generator, case: int) -> Hyper:
    """A Hyper of any values: each dialect value in turn, every other round beside random others."""
    turns = choices(rule)
    dialect: dict[str, str] = {}
    if (case // len(turns)) % 2:
        dialect = {name: str(rng.choice(list(values))) for name, values in rule.DIALECTS.items()}
    fields = drawn(rule, dialect | turns[case % len(turns)], {}, rng, edges=True)
    hyper: Hyper = rule.Hyper(**fields)
    return hyper


def drawn_slot(
    rule: Rule,
    hyper: Hyper,
    arithmetic: Arithmetic,
    rng: np.random.Generator,
    *,
    elements: int = ELEMENTS,
    ranges: tuple[tuple[int, int], ...] = ((-8, 3), (-3, 2), (-24, 4), (-40, 18)),
) -> Slot:
    """Parameter, gradient and a state that the rule reaches, in their storage formats.

    ranges: of the exponents of ten between which a tensor of gradients has its scale.
    """
    travel = arithmetic.stored("p")
    shape = ((elements,), (4, elements // 4))[int(rng.integers(2))]
    p = travel.round(drawn_tensor(rng, shape, -6, 2))
    low, high = ranges[int(rng.integers(len(ranges)))]
    g = travel.round(drawn_tensor(rng, shape, low, high))
    t = int(COUNTS[int(rng.integers(len(COUNTS)))])
    state = rule.init(hyper, p)
    past = 10.0 ** rng.integers(-3, 4)
    with np.errstate(all="ignore"):
        for i in range(min(t, int(rng.integers(1, 4)))):
            earlier = travel.round(past * drawn_tensor(rng, shape, low, high))
            before = dataclasses.replace(state, t=i)
            others = drawn_inputs(rule, rng, travel, shape, low, high)
            earlier = np.where(np.isfinite(earlier), earlier, 1.0)
            state, _ = advanced(rule, hyper, before, p, earlier, others)
    fields: dict[str, object] = {"t": t}
    for name, x in fields_of(state).items():
        if name != "t":
            where = arithmetic.stored(name)
            fields[name] = where.round(np.clip(np.asarray(x), -where.largest, where.largest))
    inputs = drawn_inputs(rule, rng, travel, shape, low, high)
    return Slot(np.clip(p, -travel.largest, travel.largest), g, fields, inputs)


def drawn_inputs(
    rule: Rule,
    rng: np.random.Generator,
    travel: Format,
    shape: tuple[int, ...],
    low: int,
    high: int,
) -> dict[str, NDArray[np.float64]]:
    """What the rule takes besides the gradient, at the gradient's scales."""
    shapes = rule.FACTS.inputs
    drawn = {name: drawn_tensor(rng, of(shape), low, high) for name, of in shapes.items()}
    limit = travel.largest
    return {name: np.clip(travel.round(x), -limit, limit) for name, x in drawn.items()}


def drawn_tensor(
    rng: np.random.Generator, shape: tuple[int, ...], low: int, high: int
) -> NDArray[np.float64]:
    """Normal or log-uniform numbers at a scale of 10^low..10^high, some exactly zero or one."""
    x = rng.standard_normal(shape)
    if rng.random() < 0.5:
        x = np.copysign(10.0 ** rng.uniform(-6, 0, shape), x)
    x = x * 10.0 ** rng.uniform(low, high)
    x = np.where(rng.random(shape) < 0.06, 0.0, x)
    return np.where(rng.random(shape) < 0.03, 1.0, x)
