"""Rules that draw noise of their own: their laws, given what was drawn, and which they obey."""

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, at_most, due, exact, way
from truestep.properties.kinds.optimizer.laws.rows import Nested, Row, fails
from truestep.properties.laws.claims import Claims
from truestep.properties.laws.entries import obeys


def step_is_at_most_lr_times_clip_when_nothing_is_drawn(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, with a noise of 0, p moves by lr (1 + momentum) clip at the most."""
    start = trial.fresh()
    start = start.on(noise=start.slot.inputs["noise"] * 0)
    length, slack = way(start, bench.step(start))
    share = 1 + (trial.hyper["momentum"] if trial.hyper.get("nesterov") else 0.0)
    limit = trial.hyper["lr"] * share * exact(trial.hyper.get("clip", 1.0))
    yield at_most("p", length, limit, slack)


def noise_falls_as_a_power_of_the_count(bench: Bench, trial: Trial) -> Claims:
    """Without a gradient p moves by -lr sqrt(eta / t^gamma) times what was drawn."""
    start = trial.fresh(trial.t, p=trial.p * 0, gradient=trial.g * 0)
    start = start.on(others=trial.slot.inputs.get("others", trial.g) * 0)
    eta, gamma = (exact(trial.hyper.get(name, 1.0)) for name in ("eta", "gamma"))
    sigma = np.sqrt(eta / exact(float(start.t + 1)) ** gamma)
    yield due(
        "p", bench.step(start), -trial.hyper["lr"] * sigma * exact(start.slot.inputs["noise"])
    )


_ONE = {"noise": 1}
_FOUR: dict[str, Nested] = {"noise": 1, "others": (0, 0, 0)}
_LONG: dict[str, Nested] = {"noise": (0, 0, 0), "others": ((0, 0, 0),) * 3}
_DRAWN = fails("noise is added", 0, 1, inputs=_ONE)

RULES: dict[str, Row] = {
    "dpsgd": {
        **rows.SYMMETRIC,
        **obeys(
            "equivariant_under_rotation state_independent_of_params",
            "step_is_at_most_lr_times_clip_when_nothing_is_drawn",
        ),
        "equivariant_under_concatenation": fails(
            "one length shortens all elements", (0, 0, 0), (1, 2, 3), inputs=_LONG
        ),
        "first_step_is_at_most_lr": fails("noise is added", 0, 0, inputs={**_FOUR, "noise": 9}),
        "linear_in_gradients": fails("noise is added", 0, 1, inputs=_FOUR),
        "noise_falls_as_a_power_of_the_count": fails("it does not fall", 0, 0, {"t": 3}, _FOUR),
    },
    "noisy_sgd": {
        **rows.LINEAR,
        **obeys("noise_falls_as_a_power_of_the_count"),
        "linear_in_gradients": _DRAWN,
        "step_is_at_most_lr_times_clip_when_nothing_is_drawn": fails(
            "gradients count as they are", 0, 9, inputs=_ONE
        ),
        "step_is_parallel_to_the_gradient": fails(
            "noise is added", (0, 0), (1, 0), inputs={"noise": (1, 1)}
        ),
    },
}
