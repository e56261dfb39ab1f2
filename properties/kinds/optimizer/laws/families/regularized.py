"""Rules that minimize all their past with a penalty: their laws, and which they obey."""

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial
from truestep.properties.kinds.optimizer.laws.rows import Row, fails
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import Void, holds, obeys


def small_sums_give_exact_zeros(bench: Bench, trial: Trial) -> Claims:
    """Where |z| is at most lambda_1 after the step, p is zero, bit for bit."""
    out = bench.step(trial)
    z = out.state.get("z", trial.p * 0)
    small = np.abs(z.astype(np.float64)) <= np.float32(trial.hyper.get("lambda_1", 0.0))
    kept = np.where(small, out.p, out.p * 0)
    yield Claim("p", kept, kept * 0)


_LED = {"t": 3, "n": 1, "z": 1}

RULES: dict[str, Row] = {
    "ftrl": {
        **rows.ELEMENTWISE,
        **obeys("accumulators_never_decrease small_sums_give_exact_zeros"),
        "equivariant_under_rotation": rows.BY_ELEMENT,
        "first_step_is_at_most_lr": fails("what no gradient has reached is zero", 2, 0),
        "linear_in_gradients": fails("squares of the gradient divide", 0, 2),
        "linear_in_lr_when_params_are_zero": holds({"lambda_2": 0.0}),
        "params_unchanged_when_gradients_are_zero": fails(
            "what no gradient has reached is zero", 1, 0
        ),
        "params_unchanged_when_lr_is_zero": Void("lr is above zero"),
        "state_independent_of_params": fails("the last point is in what leads", 2, 1),
        "translates_with_params": fails("p is a function of sums", 1, 1, _LED),
    }
}
