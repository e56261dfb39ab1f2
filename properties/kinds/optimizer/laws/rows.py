"""How a row of the table is written, and what many rules share.

A row is a dict from laws to entries: what its family obeys, laws that hold besides (obeys), and
what is its own: a law that holds in some dialects (holds), or fails at an example (fails).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from truestep.fast.protocol import Number
from truestep.properties.laws import entries
from truestep.properties.laws.entries import Holds, obeys

# A number, or a tensor as nested tuples.
Nested: TypeAlias = float | tuple["Nested", ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One tensor before a step, at which a law fails.

    hyper: what differs from the defaults; lr is 0.1 where it is not given. p, g: a number stands
    for a tensor of one element. state: fields that differ from the fresh state, where a number
    fills the tensor. inputs: what the rule takes besides g.
    """

    hyper: Mapping[str, Number]
    p: Nested
    g: Nested
    state: Mapping[str, Nested] = field(default_factory=dict)
    inputs: Mapping[str, Nested] = field(default_factory=dict)


Entry = entries.Entry[Example]
Row = entries.Row[Example]
Fails = entries.Fails[Example]


def fails(
    why: str,
    p: Nested,
    g: Nested,
    state: Mapping[str, Nested] | None = None,
    inputs: Mapping[str, Nested] | None = None,
    **hyper: Number,
) -> Fails:
    """The law does not hold: why, and the example that shows it."""
    return entries.Fails(why, Example(hyper, p, g, state or {}, inputs or {}))


# A matrix, and a gradient of it of full rank.
P = ((1, 2), (0.5, -1))
G = ((1, 2), (5, 3))
ZEROS = ((0, 0), (0, 0))

BY_ELEMENT = fails("the step is taken element by element", (0, 0, 0, 0), (4, 1, 0, -2))
DIVIDED = fails("the step is divided by a size of the gradients", 0, 2, {"t": 9})
MIXED = fails("all elements of a matrix enter each of its step", P, G)
PROPORTIONAL = fails("the step is proportional to the gradient", 0, 3)

# What a rule breaks in which all elements of a matrix enter each of its step.
MIXING = (
    "equivariant_under_concatenation",
    "equivariant_under_permutation",
    "equivariant_under_reflection",
    "equivariant_under_rotation",
)

# Of rules that are functions of their inputs, tensor by tensor, and at rest without a gradient.
EVERY: Row = {
    **obeys(
        "deterministic even_state_is_nonnegative independent_of_other_tensors",
        "maximizing_is_minimizing_the_negated_gradient odd",
        "params_unchanged_when_gradients_are_zero resumes_bitwise_from_state",
    )
}
# Of those that move the parameter by lr times something, wherever it is.
ORDINARY: Row = {
    **EVERY,
    **obeys(
        "equivariant_under_permuted_axes linear_in_lr_when_params_are_zero",
        "params_unchanged_when_lr_is_zero translates_with_params",
    ),
}
# Of those that treat all elements of a tensor alike.
SYMMETRIC: Row = {**ORDINARY, **obeys("equivariant_under_permutation equivariant_under_reflection")}
# Of those that move along the gradient.
ALONG: Row = {**SYMMETRIC, **obeys("equivariant_under_rotation step_is_parallel_to_the_gradient")}
# Of those that update each element by itself.
ELEMENTWISE: Row = {**SYMMETRIC, **obeys("equivariant_under_concatenation")}
# Of those of them that divide by a size of past gradients, per element.
ADAPTIVE: Row = {
    **ELEMENTWISE,
    **obeys(
        "first_step_is_at_most_lr homogeneous_in_gradient_and_eps scale_invariant_when_eps_is_zero"
    ),
    "equivariant_under_rotation": BY_ELEMENT,
    "linear_in_gradients": DIVIDED,
}
# Of those of them whose step is linear in all gradients so far.
LINEAR: Row = {
    **ALONG,
    **obeys("decay_alone_is_geometric equivariant_under_concatenation linear_in_gradients"),
    "first_step_is_at_most_lr": PROPORTIONAL,
}
# Of rules that treat a matrix as one, whatever the order of its rows and columns.
BY_MATRIX: Row = {**ORDINARY, **dict.fromkeys(MIXING, MIXED)}
# Of rules whose only decay acts on the parameter, beside the step.
DECOUPLED: Row = {
    **obeys(
        "decay_alone_is_geometric state_independent_of_params state_independent_of_weight_decay"
    )
}


def decoupled(decays: str) -> Row:
    """What holds in these dialects of the decay, where it does not pass through the gradient."""
    return dict.fromkeys(DECOUPLED, Holds({"decay": tuple(decays.split())}))
