"""Optimizer cases: groups, hyperparameters, reachable states and several steps of gradients."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from truestep.properties.cases.dice import Dice, by_seed, rolled
from truestep.properties.cases.restored import recorded
from truestep.properties.cases.tensors import (
    KINDS,
    NOT_FINITE,
    SHAPES,
    SPEC_BYTES,
    SPECIALS,
    TensorSpec,
    spec_of,
)

Fields = dict[str, object]


@dataclass(frozen=True, slots=True)
class SlotCase:
    """One parameter: its values, its gradients' specification, and how its state came about.

    t: steps already made. history: gradients that built the state (at most t), drawn as the
    gradient's specification scaled by 10^past; the state is the reference's after them, stored,
    with t put in. travels: whether the parameter has moved with them, as in training, or has stood
    where it is drawn, where updates far larger or smaller than it show.
    """

    param: TensorSpec
    grad: TensorSpec
    t: int = 0
    history: int = 0
    past: int = 0
    travels: bool = False


@dataclass(frozen=True, slots=True)
class GroupCase:
    """Parameters that share hyperparameters, given as fields of the rule's Hyper."""

    hyper: Mapping[str, object]
    slots: tuple[SlotCase, ...]


@dataclass(frozen=True, slots=True)
class OptimizerCase:
    """Groups of parameters and the number of consecutive steps, each with new gradients."""

    groups: tuple[GroupCase, ...]
    steps: int = 3

    def to_json(self) -> dict[str, object]:
        """A dictionary that json accepts and restored reads back exactly."""
        return recorded(self)


# Elements by which what is not finite moves from one step to the next, past all special elements.
_MOVES = 12


def gradient_at(spec: TensorSpec, step: int) -> TensorSpec:
    """The gradient of that step: the same kind and scale, other numbers.

    What is not finite stands elsewhere: what it left in the state meets finite gradients then.
    """
    elements = spec.elements
    if elements:
        turn = step % len(elements)
        elements = elements[turn:] + elements[:turn]
    specials = tuple(
        (position + _MOVES * step if name in NOT_FINITE else position, name)
        for position, name in spec.specials
    )
    seed = (spec.seed + 7919 * (step + 1)) % 2**32
    return replace(spec, seed=seed, elements=elements, specials=specials)


def input_at(spec: TensorSpec, name: str, step: int, shape: tuple[int, ...]) -> TensorSpec:
    """What a rule takes besides the gradient, at that step: of the gradient's kind and scale."""
    own = replace(spec, shape=shape, seed=(spec.seed + zlib.crc32(name.encode())) % 2**32)
    return gradient_at(own, step)


COUNTS = (0, 1, 2, 9, 99, 999, 12345)
PARAMS = ("normal", "zeros", "spread")
# What a slot takes of the dice.
SLOT_BYTES = 2 * SPEC_BYTES + 4


@dataclass(frozen=True, slots=True)
class Slots:
    """From what a parameter and its state are drawn.

    Parameters far smaller than their updates show the updates undimmed. grads, params: exponents of
    ten.
    """

    counts: Sequence[int] = COUNTS
    shapes: Sequence[tuple[int, ...]] = SHAPES
    kinds: Sequence[str] = KINDS
    grads: tuple[int, int] = (-8, 3)
    params: tuple[int, int] = (-6, 1)
    param_kinds: Sequence[str] = PARAMS
    specials: Sequence[str] = SPECIALS

    def drawn(self, dice: Dice, shape: tuple[int, ...] | None = None) -> SlotCase:
        """A slot as the dice fall, of that shape if one is given."""
        shape = dice.one_of(self.shapes) if shape is None else shape
        t = dice.one_of(self.counts)
        return SlotCase(
            param=spec_of(dice, shape, self.param_kinds, self.params, self.specials),
            grad=spec_of(dice, shape, self.kinds, self.grads, self.specials),
            t=t,
            history=min(t, dice.between(1, 4)),
            past=dice.one_of((0, 0, 2, -2, 4)),
        )


def slots(ranges: Slots = Slots()) -> st.SearchStrategy[SlotCase]:
    """Parameters with states."""
    return rolled(SLOT_BYTES, ranges.drawn)


def _mostly_of_one_count(drawn: Sequence[SlotCase]) -> tuple[SlotCase, ...]:
    """Two groups in three count their steps together, as training does."""
    first = drawn[0]
    if first.grad.seed % 3:
        return tuple(replace(s, t=first.t, history=min(first.t, max(1, s.history))) for s in drawn)
    return tuple(drawn)


def cases(
    hyper: st.SearchStrategy[Fields],
    slot: st.SearchStrategy[SlotCase],
    *,
    max_groups: int = 2,
    max_slots: int = 3,
    steps: tuple[int, int] = (1, 3),
) -> st.SearchStrategy[OptimizerCase]:
    """Cases of one or more groups, each with its own hyperparameters."""
    group = st.builds(
        GroupCase,
        hyper=hyper,
        slots=st.lists(slot, min_size=1, max_size=max_slots).map(_mostly_of_one_count),
    )
    return st.builds(
        OptimizerCase,
        groups=st.lists(group, min_size=1, max_size=max_groups).map(tuple),
        steps=st.integers(*steps),
    )


# After four steps RAdam's rho has passed 4 and not yet 5, for every usual beta2.
INDEPENDENT = Slots(counts=(*COUNTS, 4))


def independent_case(
    hyper: Callable[[np.random.Generator], Fields],
) -> Callable[[int], OptimizerCase]:
    """The case of a seed: one or two groups of up to three tensors.

    hyper(rng): drawn fields of the rule's Hyper.
    """

    def group(dice: Dice) -> GroupCase:
        fields = hyper(np.random.default_rng(dice.number(4)))
        # Tensors of one shape, in a third of the groups, show what is taken from a neighbour.
        alike = dice.one_of(SHAPES) if dice.number() < 85 else None
        count = dice.between(1, 3)
        return GroupCase(fields, tuple(INDEPENDENT.drawn(dice, alike) for _ in range(count)))

    def case(dice: Dice) -> OptimizerCase:
        groups = tuple(group(dice) for _ in range(dice.between(1, 2)))
        return OptimizerCase(groups=groups, steps=dice.between(1, 2))

    return by_seed(8 * SLOT_BYTES, case)
