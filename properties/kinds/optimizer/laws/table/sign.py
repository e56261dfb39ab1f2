"""Rules whose steps have one length in every element."""

from __future__ import annotations

from truestep.properties.kinds.optimizer.laws.table.entries import Fails, Holds
from truestep.properties.kinds.optimizer.laws.table.shared import ELEMENTWISE, Row, decoupled

_NO_SIZE = Fails("a sign has no size", {"lr": 0.1}, (0.0,), (2.0,), {"t": 3})

_SIGNS: Row = ELEMENTWISE | {
    "equivariant_under_rotation": Fails(
        "a sign is taken element by element",
        {"lr": 0.1},
        (0.0, 0.0, 0.0, 0.0),
        (4.0, 1.0, 0.0, -2.0),
    ),
    "first_step_is_at_most_lr": Holds(),
    "invariant_under_any_positive_scale": Holds(),
    "linear_in_gradients": _NO_SIZE,
    "linear_in_lr_when_params_are_zero": Holds(),
    "params_unchanged_when_lr_is_zero": Holds(),
    "step_is_lr_or_nothing": Holds(),
    "translates_with_params": Holds(),
}

SIGN: dict[str, Row] = {
    "lion": _SIGNS
    | decoupled("before", "unscaled")
    | {
        "becomes_signsgd": Holds({"decay": ("before", "coupled")}),
        "depends_on_signs_alone": Holds(),
        "params_unchanged_when_lr_is_zero": Holds({"decay": ("before", "coupled")}),
    },
    "signsgd": _SIGNS
    | {
        "decay_alone_is_geometric": Holds({"decay": ("before",)}),
        "depends_on_signs_alone": Holds(),
    },
    "signum": _SIGNS
    | decoupled("before")
    | {
        "becomes_signsgd": Holds(),
        "depends_on_signs_alone": Holds(),
        "velocity_persists_when_gradients_vanish": Fails(
            "every step has one length", {"lr": 0.1}, (0.0,), (2.0,)
        ),
    },
}
