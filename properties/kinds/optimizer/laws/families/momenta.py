"""Momenta that mix averages and gradients: their laws, and which they obey."""

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial
from truestep.properties.kinds.optimizer.laws.peers import as_rule
from truestep.properties.kinds.optimizer.laws.rows import Row, fails
from truestep.properties.laws.claims import Claims
from truestep.properties.laws.entries import holds


def becomes_sgd(bench: Bench, trial: Trial) -> Claims:
    """Where the rule does without what it adds, it is gradient descent."""
    decay = "coupled" if trial.hyper.get("decay") == "coupled" else "decoupled"
    yield from as_rule(bench, trial, "sgd", {}, decay=decay, dampening=0.0, momentum=0.0)


_SCALED = holds(decay="coupled before")

RULES: dict[str, Row] = {
    "aggmo": {
        **rows.LINEAR,
        **rows.decoupled("before"),
        "becomes_sgd": holds({"beta1": 0.0, "beta2": 0.0, "beta3": 0.0}, decay="coupled before"),
        "decay_alone_is_geometric": holds(),
        "params_unchanged_when_lr_is_zero": _SCALED,
    },
    "optimistic_gradient": {
        **rows.LINEAR,
        "becomes_sgd": holds({"alpha": 1.0, "beta": 0.0}),
        "state_independent_of_params": holds(),
    },
    "qhm": {
        **rows.LINEAR,
        **rows.decoupled("before"),
        "becomes_sgd": holds({"nu": 0.0}, decay="coupled before"),
        "decay_alone_is_geometric": holds(),
        "first_step_is_at_most_lr": fails("the step is proportional to the gradient", 0, 9),
        "params_unchanged_when_lr_is_zero": _SCALED,
    },
}
