"""Entries that many rules share."""

from __future__ import annotations

from truestep.properties.kinds.optimizer.laws.table.entries import Entry, Fails, Holds

Row = dict[str, Entry]

# Of rules that are functions of their inputs, tensor by tensor, and at rest without a gradient.
EVERY: Row = {
    "deterministic": Holds(),
    "even_state_is_nonnegative": Holds(),
    "independent_of_other_tensors": Holds(),
    "maximizing_is_minimizing_the_negated_gradient": Holds(),
    "odd": Holds(),
    "params_unchanged_when_gradients_are_zero": Holds(),
    "resumes_bitwise_from_state": Holds(),
}

# Of rules that update each element by itself.
ELEMENTWISE: Row = EVERY | {
    "equivariant_under_concatenation": Holds(),
    "equivariant_under_permutation": Holds(),
    "equivariant_under_permuted_axes": Holds(),
    "equivariant_under_reflection": Holds(),
}

BY_ELEMENT = Fails(
    "the step is taken element by element",
    {"lr": 0.1},
    (0.0, 0.0, 0.0, 0.0),
    (4.0, 1.0, 0.0, -2.0),
)
DIVIDED = Fails(
    "the step is divided by a size of the gradients", {"lr": 0.1}, (0.0,), (2.0,), {"t": 9}
)
PROPORTIONAL = Fails("the step is proportional to the gradient", {"lr": 0.1}, (0.0,), (3.0,))

# Of elementwise rules that divide by a size of past gradients, per element.
ADAPTIVE: Row = ELEMENTWISE | {
    "equivariant_under_rotation": BY_ELEMENT,
    "first_step_is_at_most_lr": Holds(),
    "homogeneous_in_gradient_and_eps": Holds(),
    "linear_in_gradients": DIVIDED,
    "linear_in_lr_when_params_are_zero": Holds(),
    "params_unchanged_when_lr_is_zero": Holds(),
    "scale_invariant_when_eps_is_zero": Holds(),
    "translates_with_params": Holds(),
}

# Of elementwise rules whose step is linear in all gradients so far.
LINEAR: Row = ELEMENTWISE | {
    "decay_alone_is_geometric": Holds(),
    "equivariant_under_rotation": Holds(),
    "first_step_is_at_most_lr": PROPORTIONAL,
    "linear_in_gradients": Holds(),
    "linear_in_lr_when_params_are_zero": Holds(),
    "params_unchanged_when_lr_is_zero": Holds(),
    "step_is_parallel_to_the_gradient": Holds(),
    "translates_with_params": Holds(),
}

# Of rules whose only decay acts on the parameter, beside the step.
DECOUPLED: Row = {
    "decay_alone_is_geometric": Holds(),
    "state_independent_of_params": Holds(),
    "state_independent_of_weight_decay": Holds(),
}


# A matrix, and a gradient of it of full rank.
P = ((1.0, 2.0), (0.5, -1.0))
G = ((1.0, 2.0), (5.0, 3.0))
ZEROS = ((0.0, 0.0), (0.0, 0.0))

MIXED = Fails("all elements of a matrix enter each of its step", {"lr": 0.1}, P, G)

# Of rules that treat a matrix as one, whatever the order of its rows and columns.
BY_MATRIX: Row = EVERY | {
    "equivariant_under_concatenation": MIXED,
    "equivariant_under_permutation": MIXED,
    "equivariant_under_permuted_axes": Holds(),
    "equivariant_under_reflection": MIXED,
    "equivariant_under_rotation": MIXED,
    "linear_in_lr_when_params_are_zero": Holds(),
    "params_unchanged_when_lr_is_zero": Holds(),
    "translates_with_params": Holds(),
}


def decoupled(*decays: str) -> Row:
    """What holds in these dialects of the decay, where it does not pass through the gradient."""
    when = {"decay": decays}
    return dict.fromkeys(DECOUPLED, Holds(when))
