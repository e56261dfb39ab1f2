"""Laws of Adan, Prodigy, Schedule-Free and SWATS, of each what no other rule does."""

from __future__ import annotations

import numpy as np

from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, at_most, due, exact
from truestep.properties.laws.claims import Claim, Claims


def point_of_the_gradient_lies_between_average_and_fast_point(bench: Bench, trial: Trial) -> Claims:
    """p = beta mean(z_1..z_t) + (1 - beta) z_t with equal weights, where z is the fast point."""
    start = trial.where(r=0.0, weight_lr_power=0.0).fresh()
    path = bench.run(start, [start.g, -start.g, start.g / 2, start.g])
    fast = "z" if "z" in start.arrays else "p"
    beta = trial.hyper.get("beta", trial.hyper.get("beta1", 0.5))
    mean = sum((exact(x.got[fast]) for x in path[1:]), exact(path[0].got[fast]))
    formula = beta * (mean / float(len(path))) + (1 - beta) * exact(path[-1].got[fast])
    slack = sum(x.bound[fast] for x in path)
    last = path[-1]
    yield Claim("p", last.wide("p"), formula.v, formula.e + last.bound["p"] + slack)


def decay_divides_when_gradients_are_zero(bench: Bench, trial: Trial) -> Claims:
    """With g = 0 from the fresh state, p' = p / (1 + lr weight_decay)."""
    start = trial.fresh(gradient=trial.g * 0)
    out = bench.step(start)
    rate = 1 + exact(trial.hyper["lr"]) * trial.hyper["weight_decay"]
    yield due("p", out, exact(start.p) / rate)


def implied_rate_projects_the_step_on_the_gradient(bench: Bench, trial: Trial) -> Claims:
    """The first step d and the descent -rate g have the same component along d.

    rate: the average of the implied rates, freed from its start, or lr where there is none.
    """
    start = trial.plain().fresh(p=trial.p * 0)
    out = bench.step(start)
    d, g = exact(out.p), exact(start.g)
    rate, off = exact(trial.hyper["lr"]), np.zeros(())
    if out.got.get("average", out.p).ndim == 0:
        kept = 1 - exact(trial.hyper["beta2"])
        rate, off = exact(out.got["average"]) / kept, out.bound["average"] / kept.v
    square, along = np.sum(d * d), -rate * np.sum(d * g)
    size = np.abs(out.wide("p")) * out.bound["p"] + out.bound["p"] ** 2
    slack = 2 * np.sum(size) + np.abs(rate.v) * np.sum(out.bound["p"] * np.abs(start.g))
    slack = slack + off * np.abs(np.sum(d.v * start.g.astype(np.float64)))
    yield Claim("p", square.v, along.v, square.e + along.e + slack)


def step_at_most_lr_times_the_ratio_of_the_moments(bench: Bench, trial: Trial) -> Claims:
    """|p' - p| <= lr |m'| / (sqrt(v') + eps), with the new moments as they are."""
    start = trial.plain().on(p=trial.p * 0)
    out = bench.step(start)
    m, v = exact(out.got["m"]), exact(out.got["v"])
    root = np.sqrt(v) + trial.hyper["eps"]
    limit = trial.hyper["lr"] * (np.abs(m) / root)
    yield at_most("p", np.abs(exact(out.p)), limit, 2 * out.bound["p"])


def differences_vanish_when_gradients_are_constant(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state one gradient again and again leaves v, of differences, at zero."""
    start = trial.plain().fresh()
    out = bench.run(start, [start.g, start.g])[-1]
    yield Claim("v", out.state["v"], out.state["v"] * 0)
