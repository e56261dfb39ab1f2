"""Laws of the rules that divide by a size of past gradients: AdaGrad, RMSProp, Adam and theirs."""

from __future__ import annotations

import numpy as np

from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, at_most, due, exact
from truestep.properties.kinds.optimizer.laws.images import behaviour, cast
from truestep.properties.kinds.optimizer.laws.peers import as_rule, evaluated
from truestep.properties.laws.claims import Claim, Claims
from truestep.reference.declared import SECOND, SIZE
from truestep.reference.optimizers import OPTIMIZERS

# What never falls, by rule; of others their squares are looked at.
GROWING = {
    "adagrad": ("total",),
    "amsgrad": ("v_max",),
    "prodigy": ("d", "d_max"),
    "schedule_free_adamw": ("weight_sum", "lr_max"),
    "schedule_free_sgd": ("weight_sum", "lr_max"),
    "sm3": ("mu",),
}


def accumulators_never_decrease(bench: Bench, trial: Trial) -> Claims:
    """A stored sum or maximum is at least what it was."""
    squares = [k for k in trial.arrays if behaviour(bench, k) is SECOND]
    out = bench.step(trial)
    for name in GROWING.get(bench.capability.rule, squares):
        new, old = out.state[name], trial.slot.state[name]
        yield Claim(name, np.maximum(new, old), new)


def becomes_adam(bench: Bench, trial: Trial) -> Claims:
    """Where the rule does without what it adds, it is Adam, from Adam's moments."""
    start = trial.plain()
    still = {k: start.slot.state[k] * 0 for k in ("switched", "v_max") if k in start.arrays}
    yield from as_rule(bench, start.on(**still), "adam", {"m": "m", "v": "v"})


def becomes_adamw(bench: Bench, trial: Trial) -> Claims:
    """Where the rule does without what it adds, it is AdamW, from AdamW's moments."""
    moments = {"m": "m1" if "m1" in trial.arrays else "m", "v": "v"}
    decay = trial.hyper.get("decay")
    decay = decay if decay in OPTIMIZERS["adamw"].DIALECTS["decay"] else "before"
    yield from as_rule(bench, trial, "adamw", moments, decay=decay)


def becomes_rmsprop(bench: Bench, trial: Trial) -> Claims:
    """Without an average of gradients and corrections, it is RMSProp with alpha = beta2."""
    start = trial.where(beta1=0.0)
    alpha = trial.hyper.get("beta2", trial.hyper.get("alpha", trial.hyper.get("rho", 0.0)))
    yield from as_rule(bench, start, "rmsprop", {"v": "v"}, alpha=alpha)


def constant_gradients_give_constant_steps(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state one gradient again and again moves p by lr g / (|g| + eps) each time."""
    start = trial.plain().fresh(p=trial.p * 0)
    path = bench.run(start, [start.g] * 3)
    g = exact(start.g)
    step = trial.hyper["lr"] * (g / (np.abs(g) + trial.hyper["eps"]))
    for i, out in enumerate(path):
        yield due("p", out, -float(i + 1) * step)


def denominator_covers_the_gradient(bench: Bench, trial: Trial) -> Claims:
    """What a step is divided by, or its square, is never below the gradient's."""
    out = bench.step(trial.plain())
    for name in trial.arrays:
        if behaviour(bench, name).nonnegative and trial.p.shape == out.got[name].shape:
            size = np.abs(exact(trial.g))
            needed = size if behaviour(bench, name) is SIZE else size * size
            yield at_most(name, needed, exact(out.got[name]), out.bound[name])


def first_step_is_measured_by_eps(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state the step is lr sqrt(eps) g / sqrt((1 - rho) g^2 + eps)."""
    start = trial.plain().fresh(p=trial.p * 0)
    g, eps = exact(start.g), trial.hyper["eps"]
    rho = trial.hyper.get("rho", trial.hyper.get("alpha", 0.0))
    step = exact(np.sqrt(eps)) * g / np.sqrt((1 - rho) * (g * g) + eps)
    yield due("p", bench.step(start), -trial.hyper["lr"] * step)


def first_step_looks_ahead(bench: Bench, trial: Trial) -> Claims:
    """The first step is lr g / (|g| + eps) times 1 + what the momentum adds for the next step."""
    beta1, psi = trial.hyper["beta1"], trial.hyper.get("momentum_decay", 0.0)
    start = trial.plain().fresh(p=trial.p * 0)
    mu, after = (exact(beta1 * (1 - 0.5 * 0.96 ** (t * psi))) for t in (1, 2))
    ahead = after * (1 - beta1) / (1 - mu * after)
    if trial.hyper.get("form") == "constant":
        ahead = exact(beta1) * (1 - beta1) / (1 - exact(beta1) * exact(beta1))
    elif trial.hyper.get("form") == "one_correction":
        ahead = exact(beta1)
    g = exact(start.g)
    step = (1 + ahead) * (g / (np.abs(g) + trial.hyper["eps"]))
    yield due("p", bench.step(start), -trial.hyper["lr"] * step)


def order_of_gradients_leaves_the_accumulator(bench: Bench, trial: Trial) -> Claims:
    """Squares are summed: the order in which gradients came does not show."""
    start = trial.plain()
    g, h = start.g, cast(start.g[::-1].copy() / 2, start.g)
    one, other = bench.run(start, [g, h])[-1], bench.run(start, [h, g])[-1]
    for name in trial.arrays:
        if behaviour(bench, name) is SECOND:
            bound = one.bound[name] + other.bound[name]
            yield Claim(name, one.got[name], other.got[name], bound)


def squares_over_roots_telescope(bench: Bench, trial: Trial) -> Claims:
    """The sum of |g| times the way moved is at most 2 lr sqrt(sum g^2), element by element."""
    start = trial.plain().fresh(p=trial.p * 0)
    gradients = [start.g, start.g / 2, -start.g, start.g]
    path = bench.run(start, gradients)
    way, squares, slack = exact(start.p * 0), exact(start.p * 0), np.zeros(start.p.shape)
    before = start.p
    for g, out in zip(gradients, path, strict=True):
        way = way + np.abs(exact(g)) * np.abs(exact(out.p) - exact(before))
        squares = squares + exact(g) * exact(g)
        slack = slack + 2 * np.abs(g.astype(np.float64)) * out.bound["p"]
        before = out.p
    yield at_most("p", way, 2 * trial.hyper["lr"] * np.sqrt(squares), slack)


def step_at_most_adams(bench: Bench, trial: Trial) -> Claims:
    """From the same moments, once the count is past 9, no element moves farther than Adam's."""
    start = trial.plain().on(p=trial.p * 0, t=max(trial.t, 9))
    out = bench.step(start)
    adam = evaluated("adam", start, {"m": "m", "v": "v"})["p"]
    yield at_most("p", np.abs(exact(out.p)), np.abs(adam), out.bound["p"])


def step_at_most_lr_over_the_root_of_one_minus_alpha(bench: Bench, trial: Trial) -> Claims:
    """One gradient is at most 1 / sqrt(1 - alpha) of its average's root: so is the step, in lr."""
    start = trial.plain().on(p=trial.p * 0)
    out = bench.step(start)
    limit = trial.hyper["lr"] / np.sqrt(exact(1 - trial.hyper.get("alpha", 0.0)))
    yield at_most("p", np.abs(exact(out.p)), limit, out.bound["p"])


def step_at_most_the_momentum_over_the_root_of_eps(bench: Bench, trial: Trial) -> Claims:
    """|p' - p| <= lr |m'| / (1 - beta1^t) / sqrt(eps): eps stands inside the root."""
    start = trial.plain().on(p=trial.p * 0)
    out = bench.step(start)
    corrected = 1 - exact(trial.hyper["beta1"]) ** float(start.t + 1)
    unit = trial.hyper["lr"] / corrected / np.sqrt(exact(trial.hyper["eps"]))
    limit = unit * np.abs(exact(out.got["m"]))
    slack = out.bound["p"] + unit.v * out.bound["m"]
    yield at_most("p", np.abs(exact(out.p)), limit, slack)


def step_within_the_cauchy_schwarz_bound(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state no element moves by more than lr B_t, attained by growing gradients.

    B_t = (1 - beta1) / (1 - beta1^t) sqrt((1 - beta2^t) / (1 - beta2) (1 - r^t) / (1 - r)) with
    r = beta1^2 / beta2 (Cauchy and Schwarz on the two moments); the gradients (beta1 / beta2)^-t
    attain it.
    """
    beta1, beta2 = trial.hyper["beta1"], trial.hyper["beta2"]
    if beta1 == 0 or beta1**2 >= beta2:
        return
    zero = trial.p * 0
    at = trial.plain().fresh(p=zero)
    for t in range(1, 5):
        at = at.on(gradient=cast(np.sign(trial.g) * (beta2 / beta1) ** -t, zero), p=zero)
        out = bench.step(at)
        r = exact(beta1**2 / beta2)
        limit = (1 - beta1) / (1 - exact(beta1) ** float(t))
        ratio = (1 - exact(beta2) ** float(t)) / (1 - beta2) * (1 - r ** float(t)) / (1 - r)
        limit = trial.hyper["lr"] * limit * np.sqrt(ratio)
        yield at_most("p", np.abs(exact(out.p)), limit, out.bound["p"])
        at = at.after(out)


def step_within_the_geometric_bound(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state no element moves by more than lr G_t, attained by falling gradients.

    G_t = (1 - beta1) / (1 - beta1^t) times the sum of (beta1 / beta2)^j over j < t; the gradients
    beta2^t attain it.
    """
    beta1, beta2 = trial.hyper["beta1"], trial.hyper["beta2"]
    zero = trial.p * 0
    at = trial.plain().fresh(p=zero)
    for t in range(1, 5):
        at = at.on(gradient=cast(np.sign(trial.g) * beta2**t, zero), p=zero)
        out = bench.step(at)
        terms = sum(((exact(beta1) / beta2) ** float(j) for j in range(1, t)), exact(1.0))
        limit = trial.hyper["lr"] * (1 - beta1) / (1 - exact(beta1) ** float(t)) * terms
        yield at_most("p", np.abs(exact(out.p)), limit, out.bound["p"])
        at = at.after(out)
