"""What becomes of a rule's laws where its state is kept as block-wise codes."""

from truestep.properties.kinds.optimizer.laws.rows import Row, fails
from truestep.properties.laws.entries import obeys

# Laws that hold of a stored state where they hold of the plain one.
SURVIVING = {
    "decay_alone_is_geometric",
    "deterministic",
    "even_state_is_nonnegative",
    "first_step_is_at_most_lr",
    "homogeneous_in_gradient_and_eps",
    "independent_of_other_tensors",
    "linear_in_lr_when_params_are_zero",
    "maximizing_is_minimizing_the_negated_gradient",
    "params_unchanged_when_gradients_are_zero",
    "params_unchanged_when_lr_is_zero",
    "resumes_bitwise_from_state",
    "scale_invariant_when_eps_is_zero",
    "state_independent_of_params",
    "state_independent_of_weight_decay",
    "step_within_the_cauchy_schwarz_bound",
    "translates_with_params",
}
# Of these, laws that do not where a point is stored, which moves with the parameter.
OF_POINTS = {
    "first_step_is_at_most_lr",
    "params_unchanged_when_gradients_are_zero",
    "step_within_the_cauchy_schwarz_bound",
    "translates_with_params",
}
# And where a scale has a limit, or is the code of one; or a group's extreme is not read as it was.
OF_SCALES = {"homogeneous_in_gradient_and_eps", "scale_invariant_when_eps_is_zero"}
OF_EXTREMES = {"step_within_the_cauchy_schwarz_bound"}
# And where chance decides codes: of codes in bits, and of two steps.
OF_BITS = {
    "resumes_bitwise_from_state",
    "state_independent_of_params",
    "state_independent_of_weight_decay",
}

_SHARING = fails(
    "elements of a block share its scale", (0,) * 128, tuple(10.0 ** (-i / 10) for i in range(128))
)

# The counterexamples are AdamW's, its moments in the dynamic format in blocks of 64.
STORED: Row = {
    **obeys("equivariant_under_concatenation_of_whole_blocks"),
    "equivariant_under_concatenation": fails(
        "elements of a block share its scale", (0, 0, 0), (1, 0.1, 0.01)
    ),
    "equivariant_under_permutation": _SHARING,
    "equivariant_under_permuted_axes": _SHARING,
    "equivariant_under_reflection": fails(
        "the map of the first moment has 1, and not -1", (0,) * 8, (1,) * 8
    ),
    "odd": fails("the map of the first moment has 1, and not -1", (0, 0), (1, 0.5)),
}
