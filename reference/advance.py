"""A rule's own lines, run once: on float64 arrays, or on the numbers of whatever arithmetic."""

from collections.abc import Mapping
from types import MappingProxyType

from truestep.reference.declared import Hyper, State
from truestep.reference.rules import Optimizer
from truestep.reference.silence import SILENCE
from truestep.reference.validation import Array

_NONE: Mapping[str, Array] = MappingProxyType({})


def advanced(
    rule: Optimizer,
    hyper: Hyper,
    state: State,
    p: Array,
    g: Array,
    inputs: Mapping[str, Array] = _NONE,
) -> tuple[State, Array]:
    """The new state and parameter, in the numbers given; what overflows is a result, no warning.

    g: the gradient, or the function that a minimizer takes. inputs: what else the rule takes, by
    name.
    """
    with SILENCE:
        new: tuple[State, Array] = rule.step(hyper, state, p, g, **inputs)
    return new
