"""Rules whose steps have one length in every element: their laws, and which they obey."""

import numpy as np

from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial
from truestep.properties.kinds.optimizer.laws.images import behaviour, cast, times
from truestep.properties.kinds.optimizer.laws.peers import as_rule
from truestep.properties.kinds.optimizer.laws.rows import (
    ELEMENTWISE,
    SYMMETRIC,
    Row,
    decoupled,
    fails,
)
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds, obeys


def step_is_lr_or_nothing(bench: Bench, trial: Trial) -> Claims:
    """From p = 0 every element moves by lr exactly, or not at all."""
    start = trial.on(p=trial.p * 0)
    out = bench.step(start)
    size, lr = np.abs(out.wide("p")), trial.hyper["lr"]
    yield Claim("p", size, np.where(size < lr / 2, 0.0, lr), out.bound["p"])


def invariant_under_any_positive_scale(bench: Bench, trial: Trial) -> Claims:
    """Without coupled decay, gradients and their averages four times as large change no p'."""
    start = trial.plain()
    odd = [k for k in trial.arrays if behaviour(bench, k).degree == 1]
    state = {k: times(trial.slot.state[k], 4) for k in odd}
    image = start.on(gradient=times(trial.g, 4), **state)
    yield from bench.agree(bench.step(start), bench.step(image), bitwise=False, names=["p"])


def depends_on_signs_alone(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, without coupled decay, only the gradient's signs enter p'."""
    start = trial.fresh() if trial.hyper.get("decay") != "coupled" else trial.plain().fresh()
    image = start.on(gradient=cast(np.sign(start.g), start.g))
    yield from bench.agree(bench.step(start), bench.step(image), bitwise=False, names=["p"])


def step_is_its_size_or_nothing(bench: Bench, trial: Trial) -> Claims:
    """From p = 0 every element moves by its new size, or not at all; by lr where it has none."""
    out = bench.step(trial.on(p=trial.p * 0))
    way, size = np.abs(out.wide("p")), np.full(trial.p.shape, float(trial.hyper["lr"]))
    bound = out.bound["p"]
    if "size" in out.got:
        size, bound = out.wide("size"), bound + out.bound["size"]
    yield Claim("p", way, np.where(way < size / 2, 0.0, size), bound)


def turned_elements_rest(bench: Bench, trial: Trial) -> Claims:
    """Where the gradient has turned for certain since the last one, p stays bit for bit."""
    start = trial.on(prev=cast(np.where(trial.g < 0, 1.0, -1.0), trial.g))
    start = start.where(maximize=False)
    out = bench.step(start)
    turned = np.abs(start.g) > np.finfo(start.g.dtype).tiny
    yield Claim("p", np.where(turned, out.state["p"], start.p), start.p)


def becomes_signsgd(bench: Bench, trial: Trial) -> Claims:
    """Without memory of gradients it is signSGD."""
    yield from as_rule(bench, trial.where(beta1=0.0, momentum=0.0), "signsgd", {})


_SIGNS: Row = {
    **ELEMENTWISE,
    **obeys("first_step_is_at_most_lr invariant_under_any_positive_scale step_is_lr_or_nothing"),
    "equivariant_under_rotation": fails(
        "a sign is taken element by element", (0, 0, 0, 0), (4, 1, 0, -2)
    ),
    "linear_in_gradients": fails("a sign has no size", 0, 2, {"t": 3}),
}

RULES: dict[str, Row] = {
    "cautious_lion": {
        **SYMMETRIC,
        **decoupled("before"),
        **obeys(
            "depends_on_signs_alone elements_without_gradient_rest",
            "invariant_under_any_positive_scale",
        ),
        "equivariant_under_concatenation": fails(
            "elements that agree are counted over the whole tensor",
            (0, 0, 0),
            (1, 2, -3),
            {"t": 3, "m": (-9, 1, -1)},
        ),
        "equivariant_under_rotation": fails(
            "a sign is taken element by element", (0, 0, 0, 0), (4, 1, 0, -2)
        ),
        "first_step_is_at_most_lr": fails("elements that rest lengthen", (0, 0, 0), (1, 0, 0)),
        "linear_in_gradients": fails("a sign has no size", 0, 2, {"t": 3}),
        "params_unchanged_when_lr_is_zero": holds(decay="before coupled"),
        "step_is_lr_or_nothing": fails("steps are scaled", (0, 0), (1, 1)),
    },
    "lion": {
        **_SIGNS,
        **decoupled("before unscaled"),
        **obeys("depends_on_signs_alone"),
        "becomes_signsgd": holds(decay="before coupled"),
        "params_unchanged_when_lr_is_zero": holds(decay="before coupled"),
    },
    "rprop": {
        **ELEMENTWISE,
        **obeys("depends_on_signs_alone invariant_under_any_positive_scale"),
        "becomes_signsgd": fails("sizes are not lr", 0, 1, {"size": 0.5}),
        "equivariant_under_rotation": fails(
            "a sign is taken element by element", (0, 0, 0, 0), (4, 1, 0, -2)
        ),
        "first_step_is_at_most_lr": fails("a size below its limit is raised to it", 0, 1, lr=0.0),
        "linear_in_gradients": fails("a sign has no size", 0, 2, {"t": 3}),
        "linear_in_lr_when_params_are_zero": fails("lr is the first size alone", 0, 1),
        "params_unchanged_when_lr_is_zero": fails("lr is the first size alone", 0, 1),
        "state_independent_of_params": holds(),
        "step_is_its_size_or_nothing": holds(turn="rest on"),
        "step_is_lr_or_nothing": fails("sizes are not lr", 0, 1, {"size": 0.5}),
        "turned_elements_rest": holds(turn="rest"),
    },
    "signsgd": {
        **_SIGNS,
        **decoupled("before"),
        **obeys("depends_on_signs_alone"),
        "becomes_sgd": fails("a sign has no size", 0, 2),
        "turned_elements_rest": fails("signs before do not count", 0, 1),
    },
    "signum": {
        **_SIGNS,
        **decoupled("before"),
        **obeys("becomes_signsgd depends_on_signs_alone"),
        "velocity_persists_when_gradients_vanish": fails("every step has one length", 0, 2),
    },
}
