"""Cases fitted to what a capability takes and to what a rule acts on: one place for both.

Families of cases draw tensors of all shapes. A rule on matrices sees few of them among so many
vectors, and an implementation may refuse empty tensors, or all but matrices, or several at once.
"""

from dataclasses import replace

import numpy as np

from truestep.fast.protocol import FARTHEST, OptimizerCapability
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.properties.kinds.optimizer.storage import rule_of

# Wide, tall, square, single rows and columns; sides around vector widths.
MATRICES = ((3, 5), (5, 3), (8, 8), (1, 7), (7, 1), (16, 16), (17, 9), (2, 2), (1, 1), (9, 33))
LARGE_MATRIX = (129, 65)
_LARGE = 4096
# A rule on matrices may keep an n x n factor of a vector of n elements.
_LONG = 33
# Tensors in one call of a rule that is judged by replicates: each costs dozens of evaluations.
_MOST_SAMPLED = 12


def fitted(case: OptimizerCase, capability: OptimizerCapability) -> OptimizerCase:
    """The case with every tensor in a shape that the capability takes, one only if it is single."""
    facts = rule_of(capability).FACTS
    groups = case.groups[:1] if capability.single else case.groups
    most = 1 if capability.single else _MOST_SAMPLED if facts.observables else None
    # A counter that ends is asked for its last step, and none is asked for one beyond it.
    last = capability.reach - case.steps + 1 if capability.reach < FARTHEST else None
    shaped = replace(
        case,
        groups=tuple(
            GroupCase(
                group.hyper,
                tuple(
                    _fitted(
                        slot if last is None else _counted(slot, last), capability, facts.matrices
                    )
                    for slot in group.slots[:most]
                ),
            )
            for group in groups
        ),
    )
    return divisible(shaped, capability)


def divisible(case: OptimizerCase, capability: OptimizerCapability) -> OptimizerCase:
    """The case with every tensor in a shape that has the equal parts its rule asks for.

    The others get so many times their rows, and a scalar becomes a vector.
    """
    rule = rule_of(capability)
    if (parts_of := rule.FACTS.parts) is None:
        return case
    groups = []
    for group in case.groups:
        parts = parts_of(rule.Hyper(**group.hyper))
        slots = tuple(_of_parts(slot, parts) for slot in group.slots)
        groups.append(GroupCase(group.hyper, slots))
    return replace(case, groups=tuple(groups))


def _of_parts(slot: SlotCase, parts: int) -> SlotCase:
    shape = slot.param.shape
    if int(np.prod(shape)) % parts == 0:
        return slot
    rows, *others = shape or (1,)
    return _shaped(slot, (parts * rows, *others))


def _shaped(slot: SlotCase, shape: tuple[int, ...]) -> SlotCase:
    return replace(
        slot, param=replace(slot.param, shape=shape), grad=replace(slot.grad, shape=shape)
    )


def _counted(slot: SlotCase, last: int) -> SlotCase:
    t = min(slot.t, last)
    return replace(slot, t=t, history=min(slot.history, t))


def _fitted(slot: SlotCase, capability: OptimizerCapability, on_matrices: bool) -> SlotCase:
    shape = slot.param.shape
    size, is_matrix = int(np.prod(shape)), len(shape) == 2 and 0 not in shape
    wanted = capability.shapes == "matrices" or (on_matrices and slot.param.seed % 3 > 0)
    if (wanted and not is_matrix) or (on_matrices and size > _LARGE):
        shape = LARGE_MATRIX if size > _LARGE else MATRICES[slot.param.seed % len(MATRICES)]
    elif on_matrices and len(shape) < 2 and size > _LONG:
        shape = (size % _LONG + 1,)
    elif capability.shapes == "nonempty" and size == 0:
        shape = tuple(max(n, 1) for n in shape)
    return _shaped(slot, shape)
