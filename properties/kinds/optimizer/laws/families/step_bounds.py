"""Laws that bound how far a step goes, of rules of several families, AdaGrad's and Adam's first."""

from collections.abc import Callable

import numpy as np

from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, at_most, exact
from truestep.properties.kinds.optimizer.laws.images import cast
from truestep.properties.kinds.optimizer.laws.peers import evaluated
from truestep.properties.laws.claims import Claims
from truestep.reference.validation import Array


def rms_of_step_is_clipped(bench: Bench, trial: Trial) -> Claims:
    """From p = 0 the step's root mean square is at most lr, eps2 and clip_threshold multiplied."""
    start = trial.plain().on(p=trial.p * 0)
    out = bench.step(start)
    size = np.sqrt(np.mean(exact(out.p) * exact(out.p)))
    h = trial.hyper
    limit = exact(h["lr"]) * h.get("eps2", 1.0) * h.get("clip_threshold", 1.0)
    yield at_most("p", size, limit, np.sqrt(np.mean(out.bound["p"] ** 2)))


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


def step_at_most_lr_times_limit(bench: Bench, trial: Trial) -> Claims:
    """From p = 0 no element moves by more than lr times limit, whatever the curvature."""
    start = trial.plain().on(p=trial.p * 0)
    out = bench.step(start)
    limit = exact(trial.hyper["lr"]) * trial.hyper.get("limit", 1.0)
    yield at_most("p", np.abs(exact(out.p)), limit, out.bound["p"])


def step_at_most_lr_times_the_ratio_of_the_moments(bench: Bench, trial: Trial) -> Claims:
    """|p' - p| <= lr |m'| / (sqrt(v') + eps), with the new moments as they are."""
    start = trial.plain().on(p=trial.p * 0)
    out = bench.step(start)
    m, v = exact(out.got["m"]), exact(out.got["v"])
    root = np.sqrt(v) + trial.hyper["eps"]
    limit = trial.hyper["lr"] * (np.abs(m) / root)
    yield at_most("p", np.abs(exact(out.p)), limit, 2 * out.bound["p"])


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
    lr, beta1, beta2 = (trial.hyper[name] for name in ("lr", "beta1", "beta2"))
    if beta1 == 0 or beta1**2 >= beta2:
        return
    r = exact(beta1**2 / beta2)

    def limit(t: int) -> Array:
        corrected = (1 - beta1) / (1 - exact(beta1) ** float(t))
        ratio = (1 - exact(beta2) ** float(t)) / (1 - beta2) * (1 - r ** float(t)) / (1 - r)
        return lr * corrected * np.sqrt(ratio)

    yield from _longest(bench, trial, lambda t: (beta2 / beta1) ** -t, limit)


def step_within_the_geometric_bound(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state no element moves by more than lr G_t, attained by falling gradients.

    G_t = (1 - beta1) / (1 - beta1^t) times the sum of (beta1 / beta2)^j over j < t; the gradients
    beta2^t attain it.
    """
    lr, beta1, beta2 = (trial.hyper[name] for name in ("lr", "beta1", "beta2"))

    def limit(t: int) -> Array:
        terms = sum(((exact(beta1) / beta2) ** float(j) for j in range(1, t)), exact(1.0))
        return lr * (1 - beta1) / (1 - exact(beta1) ** float(t)) * terms

    yield from _longest(bench, trial, lambda t: beta2**t, limit)


def _longest(
    bench: Bench, trial: Trial, size: Callable[[int], float], limit: Callable[[int], Array]
) -> Claims:
    """Four steps from the fresh state with gradients of that size, each from p = 0."""
    at = trial.plain().fresh(p=trial.p * 0)
    for t in range(1, 5):
        at = at.on(gradient=cast(np.sign(trial.g) * size(t), trial.p), p=trial.p * 0)
        out = bench.step(at)
        yield at_most("p", np.abs(exact(out.p)), limit(t), out.bound["p"])
        at = at.after(out)
