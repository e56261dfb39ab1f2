"""Rules that treat a matrix as one: its singular vectors, the bases of its sides."""

from __future__ import annotations

from truestep.properties.kinds.optimizer.laws.table.entries import Fails, Holds
from truestep.properties.kinds.optimizer.laws.table.shared import (
    BY_MATRIX,
    DECOUPLED,
    ZEROS,
    G,
    P,
    Row,
    decoupled,
)

_DIVIDED = Fails("the step is divided by a size of the gradients", {"lr": 0.1}, P, G, {"t": 9})

MATRIX: dict[str, Row] = {
    "distributed_shampoo": BY_MATRIX
    | {
        "decay_alone_is_geometric": Holds({"decay": ("in_direction", "before")}),
        "equivariant_under_rotation_of_rows": Holds({"graft": ("none", "sgd")}, {"start": 0}),
        "first_step_is_at_most_lr": Fails(
            "the graft lends its length, not its elements",
            {"lr": 0.1},
            ZEROS,
            ((1.0, 1e-3), (1e-3, 1e-6)),
        ),
        "homogeneous_in_gradient_and_eps": Holds(
            {
                "exponent": ("half_order",),
                "graft": ("adam", "adagrad", "rmsprop", "sign"),
                "ridge": ("absolute", "initial"),
            }
        ),
        "linear_in_gradients": _DIVIDED,
        "scale_invariant_when_eps_is_zero": Holds(
            {"exponent": ("half_order",), "graft": ("adam", "adagrad", "rmsprop", "sign")}
        ),
        "state_independent_of_params": Holds({"decay": ("before",)}),
        "state_independent_of_weight_decay": Holds({"decay": ("before",)}),
        "step_is_no_longer_than_adams": Holds(
            {"bias_correction": ("both",), "graft": ("adam",)}, {"momentum": 0.0, "start": 0}
        ),
        "step_shares_its_singular_vectors_with_the_gradient": Holds(at={"start": 0}),
    },
    "muon": BY_MATRIX
    | decoupled("before")
    | {
        "equivariant_under_rotation_of_rows": Holds(
            {"norm": ("frobenius", "spectral", "schatten")}
        ),
        "first_step_is_at_most_lr": Fails(
            "singular values come near 1, from above too",
            {"lr": 0.1, "ns_steps": 4},
            ((0.0,),),
            ((1.0,),),
        ),
        "homogeneous_in_gradient_and_eps": Holds(
            {"magnitude": ("none",), "norm": ("frobenius", "spectral")}
        ),
        "linear_in_gradients": _DIVIDED,
        "scale_invariant_when_eps_is_zero": Holds({"magnitude": ("none",)}),
        "step_shares_its_singular_vectors_with_the_gradient": Holds(
            {"norm": ("frobenius", "spectral", "schatten")}
        ),
    },
    "shampoo": BY_MATRIX
    | decoupled("before", "unscaled")
    | {
        "equivariant_under_rotation_of_rows": Holds(),
        "first_step_is_at_most_lr": Holds(
            {"exponent": ("half_order",), "statistics": ("gradient",)}
        ),
        "homogeneous_in_gradient_and_eps": Holds(
            {
                "exponent": ("half_order",),
                "momentum_form": ("averaged",),
                "statistics": ("gradient",),
            }
        ),
        "linear_in_gradients": _DIVIDED,
        "params_unchanged_when_lr_is_zero": Holds({"decay": ("coupled", "before")}),
        "scale_invariant_when_eps_is_zero": Holds(
            {
                "exponent": ("half_order",),
                "momentum_form": ("averaged",),
                "statistics": ("gradient",),
            }
        ),
        "step_shares_its_singular_vectors_with_the_gradient": Holds(),
    },
    "soap": BY_MATRIX
    | DECOUPLED
    | {
        "bases_are_orthonormal": Holds(),
        "equivariant_under_permutation": Fails(
            "rows and columns are turned into bases of their own",
            {"lr": 0.1},
            P,
            G,
            {"t": 3, "bases": (0.8, -0.6, 0.6, 0.8, 1.0, 0.0, 0.0, 1.0)},
        ),
        "equivariant_under_reflection": Fails(
            "rows and columns are turned into bases of their own",
            {"lr": 0.1},
            P,
            G,
            {"t": 3, "bases": (0.8, -0.6, 0.6, 0.8, 1.0, 0.0, 0.0, 1.0)},
        ),
        "equivariant_under_rotation": Fails(
            "the step is taken coordinate by coordinate", {"lr": 0.1}, P, G, {"t": 3}
        ),
        "first_step_is_at_most_lr": Holds(),
        "first_step_leaves_params": Holds(),
        "homogeneous_in_gradient_and_eps": Holds({"normalization": ("none", "rms")}),
        "linear_in_gradients": _DIVIDED,
        "linear_in_lr_when_params_are_zero": Holds({"decay": ("before",)}),
        "scale_invariant_when_eps_is_zero": Holds(),
    },
}
