"""Rules with a slow point that follows the parameter: laws, and which they obey."""

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, due, exact
from truestep.properties.kinds.optimizer.laws.rows import Row, fails
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds, obeys


def first_average_of_every_row_sums_to_zero(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, without decay, the new average of gradients has no mean in any row."""
    out = bench.step(trial.plain().fresh())
    m = exact(out.got["m"])
    axes = tuple(range(1, trial.p.ndim))
    sums = np.sum(m, axis=axes)
    yield Claim("m", sums.v, np.zeros_like(sums.v), sums.e + np.sum(out.bound["m"], axis=axes))


def first_slow_step_is_alpha_of_descent(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state at 0, where every step is a slow one, p moves by lr alpha g."""
    start = trial.plain().where(k=1).fresh(p=trial.p * 0)
    share = exact(trial.hyper["lr"]) * exact(trial.hyper.get("alpha", 0.5))
    yield due("p", bench.step(start), -share * exact(start.g))


def momentum_is_lost_in_a_slow_step(bench: Bench, trial: Trial) -> Claims:
    """Where every step is a slow one no momentum is left."""
    out = bench.step(trial.where(k=1))
    name = "b" if "b" in trial.arrays else "m"
    yield Claim(name, out.state[name], np.zeros_like(out.state[name]), out.bound[name] * 0)


def parameter_is_the_slow_point_after_a_slow_step(bench: Bench, trial: Trial) -> Claims:
    """Where every step is a slow one p is the slow point, bit for bit."""
    out = bench.step(trial.where(k=1))
    for name in _points(trial):
        yield Claim("p", out.p, out.state[name])


def slow_point_rests_between_slow_steps(bench: Bench, trial: Trial) -> Claims:
    """Where k is more than the steps made the slow point stays as it is, bit for bit."""
    out = bench.step(trial.where(k=trial.t + 2))
    for name in _points(trial):
        yield Claim(name, out.state[name], trial.slot.state[name])


def _points(trial: Trial) -> list[str]:
    return [name for name, behaves in trial.rule.State.BEHAVIOUR.items() if behaves.moves]


_BEHIND = {"t": 3, "slow": 1}
_DRAWN = {"k": 1}
_GOES_ON = fails("the parameter is drawn to the slow point", 0, 1, _BEHIND, k=2)
_MEAN = fails("a mean of a number with itself is rounded", 3, 0, k=1, alpha=0.3)
_PLAIN_FIRST = fails("before it is adaptive the step is proportional to the gradient", 0, 3)

RULES: dict[str, Row] = {
    "lookahead": {
        **rows.LINEAR,
        "decay_alone_is_geometric": holds(),
        "first_slow_step_is_alpha_of_descent": holds(sync="last"),
        "first_step_is_plain_descent": holds({"alpha": 1.0}),
        "linear_in_lr_when_params_are_zero": _GOES_ON,
        "momentum_is_lost_in_a_slow_step": holds({"k": 1}, pullback="reset"),
        "parameter_is_the_slow_point_after_a_slow_step": holds(_DRAWN, form="direct"),
        "params_unchanged_when_gradients_are_zero": _MEAN,
        "params_unchanged_when_lr_is_zero": _GOES_ON,
        "slow_point_rests_between_slow_steps": holds(sync="last"),
        "state_independent_of_params": fails("the slow point is of points", 2, 1, k=1),
        "state_independent_of_weight_decay": fails(
            "the decay is part of the gradient", 2, 1, weight_decay=0.5
        ),
    },
    "ranger": {
        **rows.SYMMETRIC,
        **obeys("decay_alone_is_geometric equivariant_under_concatenation"),
        "equivariant_under_permutation": holds(centralize="none"),
        "equivariant_under_reflection": holds(centralize="none"),
        "equivariant_under_rotation": rows.BY_ELEMENT,
        "first_average_of_every_row_sums_to_zero": holds(centralize="all"),
        "first_slow_step_is_alpha_of_descent": holds(centralize="none", unrectified="momentum"),
        "first_step_is_at_most_lr": rows.PROPORTIONAL,
        "homogeneous_in_gradient_and_eps": _PLAIN_FIRST,
        "linear_in_gradients": fails("adaptive steps are divided", 0, 2, {"t": 99}),
        "linear_in_lr_when_params_are_zero": _GOES_ON,
        "momentum_is_lost_in_a_slow_step": fails("averages are kept", 0, 3, k=1),
        "parameter_is_the_slow_point_after_a_slow_step": holds(_DRAWN),
        "params_unchanged_when_gradients_are_zero": _MEAN,
        "params_unchanged_when_lr_is_zero": _GOES_ON,
        "scale_invariant_when_eps_is_zero": _PLAIN_FIRST,
        "slow_point_rests_between_slow_steps": holds(),
        "state_independent_of_params": fails("the slow point is of points", 2, 1, k=1),
        "state_independent_of_weight_decay": fails(
            "the slow point is of shrunk points", 2, 1, k=1, weight_decay=0.5
        ),
    },
}
