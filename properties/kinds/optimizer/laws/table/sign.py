"""Rules whose steps have one length in every element."""

from __future__ import annotations

from truestep.properties.kinds.optimizer.laws.table.shared import ELEMENTWISE, Row, decoupled, fails
from truestep.properties.laws.entries import holds, obeys

_SIGNS: Row = {
    **ELEMENTWISE,
    **obeys("first_step_is_at_most_lr invariant_under_any_positive_scale step_is_lr_or_nothing"),
    "equivariant_under_rotation": fails(
        "a sign is taken element by element", (0, 0, 0, 0), (4, 1, 0, -2)
    ),
    "linear_in_gradients": fails("a sign has no size", 0, 2, {"t": 3}),
}

SIGN: dict[str, Row] = {
    "lion": {
        **_SIGNS,
        **decoupled("before unscaled"),
        **obeys("depends_on_signs_alone"),
        "becomes_signsgd": holds(decay="before coupled"),
        "params_unchanged_when_lr_is_zero": holds(decay="before coupled"),
    },
    "signsgd": {
        **_SIGNS,
        **decoupled("before"),
        **obeys("depends_on_signs_alone"),
    },
    "signum": {
        **_SIGNS,
        **decoupled("before"),
        **obeys("becomes_signsgd depends_on_signs_alone"),
        "velocity_persists_when_gradients_vanish": fails("every step has one length", 0, 2),
    },
}
