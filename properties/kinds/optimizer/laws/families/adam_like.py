"""Rules that change one line of Adam: what no other rule does, and which laws they obey."""

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import (
    Bench,
    Trial,
    at_most,
    due,
    exact,
    unless_open,
)
from truestep.properties.kinds.optimizer.laws.images import cast, times
from truestep.properties.kinds.optimizer.laws.rows import Row, fails
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds, obeys


def constant_gradients_halve_the_step(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state one gradient for the second time moves p by lr g / (|g| + eps) / 2."""
    start = trial.plain().fresh(p=trial.p * 0)
    one, two = bench.run(start, [start.g, start.g])
    g = exact(start.g)
    step = trial.hyper["lr"] / 2 * (g / (np.abs(g) + trial.hyper["eps"]))
    moved = exact(two.p) - exact(one.p)
    yield Claim("p", moved.v, -step.v, moved.e + step.e + two.bound["p"] + one.bound["p"])


def elements_without_gradient_rest(bench: Bench, trial: Trial) -> Claims:
    """Without decay p stays bit for bit where the gradient is zero, whatever went before."""
    start = trial.plain()
    signs = np.arange(start.g.size).reshape(start.g.shape) % 2
    start = start.on(gradient=cast(start.g * signs, start.g))
    out = bench.step(start)
    open_ = unless_open(out, "p")
    yield Claim("p", np.where(signs == 0, out.state["p"], start.p), start.p, open_)


def first_gradient_enters_the_second_moment_alone(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state v is the square of the gradient, and p and m stay bit for bit."""
    start = trial.plain().fresh()
    out = bench.step(start)
    yield due("v", out, exact(start.g) * exact(start.g))
    for name, old in (("p", start.p), ("m", start.slot.state["m"])):
        yield Claim(name, out.state[name], old)


def first_second_moment_is_of_the_surprise(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state v is (1 - beta2) (beta1 g)^2 + eps."""
    start = trial.plain().fresh()
    surprise = trial.hyper["beta1"] * exact(start.g)
    square = (1 - trial.hyper["beta2"]) * (surprise * surprise)
    yield due("v", bench.step(start), square + trial.hyper.get("eps", 0.0))


def last_gradient_stays_out_of_its_divisor(bench: Bench, trial: Trial) -> Claims:
    """Without momentum, from p = 0, twice the gradient is twice the step."""
    start = trial.plain().where(beta1=0.0)
    start = start.on(p=start.p * 0, t=max(1, start.t), m=start.slot.state["m"] * 0)
    one, two = bench.step(start), bench.step(start.on(gradient=times(start.g, 2)))
    yield Claim("p", 2 * one.wide("p"), two.wide("p"), 2 * one.bound["p"] + two.bound["p"])


def second_moment_moves_by_a_share_of_the_square(bench: Bench, trial: Trial) -> Claims:
    """|v' - v| <= (1 - beta2) g^2, however far v is from it."""
    start = trial.plain()
    out = bench.step(start)
    change = np.abs(exact(out.got["v"]) - exact(start.slot.state["v"]))
    share = (1 - trial.hyper["beta2"]) * (exact(start.g) * exact(start.g))
    yield at_most("v", change, share, out.bound["v"])


def step_at_most_the_final_rate_times_the_average(bench: Bench, trial: Trial) -> Claims:
    """|p' - p| <= final_lr (1 + 1 / (gamma t)) |m'|, however small the squares; else of lr."""
    start = trial.plain().on(p=trial.p * 0)
    out, h = bench.step(start), trial.hyper
    final, gamma = exact(h.get("final_lr", h["lr"])), exact(h.get("gamma", 1.0))
    rate = final * (1 + 1 / (gamma * float(start.t + 1)))
    slack = out.bound["p"] + rate.v * out.bound["m"]
    yield at_most("p", np.abs(exact(out.p)), rate * np.abs(exact(out.got["m"])), slack)


_FALLS = fails("v falls where it is above the square", 0, 0, {"t": 3, "v": 1})
# The third decay of these rules does without lr.
_SCALED = holds(decay="coupled before")
_FRICTION = fails("friction is of the gradient's change in its own unit", 0, 1)
_BOUNDED = fails("rates are clipped between bounds of their own", 0, 1e6)

_FIRST = fails("the first divisor is 1", 0, 2)

RULES: dict[str, Row] = {
    "acprop": {
        **rows.ELEMENTWISE,
        **rows.DECOUPLED,
        **obeys(
            "elements_without_gradient_rest last_gradient_stays_out_of_its_divisor",
            "linear_in_gradients step_is_parallel_to_the_gradient",
        ),
        "equivariant_under_rotation": fails(
            "each element has a divisor of its own",
            (0, 0, 0, 0),
            (4, 1, 0, -2),
            {"t": 3, "v": (1, 4, 9, 16)},
        ),
        "first_second_moment_is_of_the_surprise": holds(deviation="new"),
        "first_step_is_at_most_lr": _FIRST,
        "first_step_is_plain_descent": holds({"eps": 0.0}),
        "homogeneous_in_gradient_and_eps": _FIRST,
        "scale_invariant_when_eps_is_zero": _FIRST,
    },
    "adabelief": {
        **rows.ADAPTIVE,
        **rows.decoupled("before"),
        **obeys("first_second_moment_is_of_the_surprise"),
        "first_step_is_at_most_lr": fails("the surprise is less than the gradient", 0, 1),
        "homogeneous_in_gradient_and_eps": fails(
            "one eps is added to squares of gradients and to a root", 0, 2, eps=0.01
        ),
        "params_unchanged_when_lr_is_zero": _SCALED,
        "scale_invariant_when_eps_is_zero": holds(rectification="none still"),
        "second_moment_moves_by_a_share_of_the_square": _FALLS,
    },
    "adabound": {
        **rows.ADAPTIVE,
        **rows.decoupled("before"),
        **obeys("step_at_most_the_final_rate_times_the_average"),
        "constant_gradients_halve_the_step": fails("nothing slows constant gradients", 0, 1),
        "elements_without_gradient_rest": fails("the average goes on", 0, 0, {"t": 3, "m": 1}),
        "first_step_is_at_most_lr": _BOUNDED,
        "homogeneous_in_gradient_and_eps": _BOUNDED,
        "linear_in_lr_when_params_are_zero": _BOUNDED,
        "params_unchanged_when_lr_is_zero": _BOUNDED,
        "scale_invariant_when_eps_is_zero": _BOUNDED,
    },
    "adopt": {
        **rows.ADAPTIVE,
        **rows.decoupled("before before_all"),
        **obeys("first_gradient_enters_the_second_moment_alone first_step_is_at_most_lr"),
        "last_gradient_stays_out_of_its_divisor": holds(clip="none"),
        "params_unchanged_when_lr_is_zero": holds(decay="coupled before before_all"),
        "second_moment_moves_by_a_share_of_the_square": _FALLS,
    },
    "diffgrad": {
        **rows.ADAPTIVE,
        **rows.decoupled("before"),
        "constant_gradients_halve_the_step": holds(eps_placement="outside"),
        "homogeneous_in_gradient_and_eps": _FRICTION,
        "params_unchanged_when_lr_is_zero": _SCALED,
        "scale_invariant_when_eps_is_zero": _FRICTION,
    },
    "grams": {
        **rows.ADAPTIVE,
        **rows.DECOUPLED,
        **obeys("elements_without_gradient_rest"),
        "becomes_adamw": fails("the signs are the gradient's", 0, 0, {"t": 3, "m": 1}),
        "constant_gradients_give_constant_steps": holds(
            bias_correction="both", eps_placement="outside"
        ),
        "first_step_is_at_most_lr": holds(bias_correction="both"),
        "step_at_most_the_final_rate_times_the_average": fails("small squares divide", 0, 1e-3),
    },
    "laprop": {
        **rows.ADAPTIVE,
        **rows.DECOUPLED,
        "constant_gradients_give_constant_steps": holds(eps_placement="outside"),
        "last_gradient_stays_out_of_its_divisor": fails("v holds the gradient", 0, 1, {"t": 3}),
        "linear_in_lr_when_params_are_zero": holds(decay="before", rate="outside"),
        "params_unchanged_when_lr_is_zero": holds(rate="outside"),
        "state_independent_of_params": holds(),
    },
    "optimistic_adam": {
        **rows.ADAPTIVE,
        **obeys("state_independent_of_params"),
        "becomes_adam": holds({"alpha": 1.0, "beta": 0.0}, momentum="average"),
        "constant_gradients_give_constant_steps": holds({"alpha": 1.0}, momentum="average"),
        "first_step_is_at_most_lr": holds({"alpha": 1.0}, momentum="average"),
    },
    "qhadam": {
        **rows.ADAPTIVE,
        **rows.decoupled("before"),
        **obeys("constant_gradients_give_constant_steps"),
        "becomes_adam": holds(
            {"nu1": 1.0, "nu2": 1.0}, bias_correction="moments", decay="coupled before"
        ),
        "params_unchanged_when_lr_is_zero": _SCALED,
    },
    "yogi": {
        **rows.ADAPTIVE,
        **rows.decoupled("before"),
        **obeys("second_moment_moves_by_a_share_of_the_square"),
        "decay_alone_is_geometric": holds(decay="before", start="second"),
        "first_step_is_at_most_lr": holds({"initial": 0.0}, bias_correction="both"),
        "first_gradient_enters_the_second_moment_alone": fails("the first step moves", 0, 1),
        "first_second_moment_is_of_the_surprise": fails("v is of squares of gradients", 0, 2),
        "last_gradient_stays_out_of_its_divisor": fails("v holds the gradient", 0, 1, {"t": 3}),
        "params_unchanged_when_gradients_are_zero": holds(start="second"),
        "params_unchanged_when_lr_is_zero": _SCALED,
    },
}
