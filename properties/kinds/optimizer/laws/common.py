"""Laws that every rule is asked about: a name says the conclusion, after "when" the hypotheses.

No law names a rule: which rule obeys which law stands in the table. A law prepares the trial that
its hypotheses need, runs the kernel on it and on its image, and claims that the results correspond.
Sums over a tensor may be rounded otherwise wherever it lies in memory, so that what holds bit for
bit of other rules holds within the bounds of those that sum.
"""

import numpy as np

from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, at_most, exact, unless_open
from truestep.properties.kinds.optimizer.laws.images import (
    behaviour,
    by_element,
    cast,
    coarse,
    scaled,
)
from truestep.properties.laws.claims import Claim, Claims
from truestep.reference.declared import FIRST


def deterministic(bench: Bench, trial: Trial) -> Claims:
    """The same call twice gives the same bits."""
    yield from bench.agree(bench.step(trial), bench.step(trial), bitwise=True)


def independent_of_other_tensors(bench: Bench, trial: Trial) -> Claims:
    """A tensor's step is the same alone and among others, in one group and in several."""
    alone = bench.step(trial)
    kept = max(1, len(trial.p) // 2)
    other = trial.fresh(trial.t, p=trial.p[:kept].copy(), gradient=trial.g[:kept].copy())
    second = trial.where(lr=trial.hyper["lr"] / 2)
    for outcome in (
        bench.step_all([other, trial])[1],
        bench.step_all([trial, other], together=True)[0],
        bench.step_all([second, trial])[1],
    ):
        yield from bench.agree(alone, outcome, bitwise=not bench.fused)


def linear_in_lr_when_params_are_zero(bench: Bench, trial: Trial) -> Claims:
    """From p = 0, doubling lr doubles the step exactly."""
    start = trial.on(p=trial.p * 0)
    out = bench.step(start)
    image = bench.step(start.where(lr=2 * trial.hyper["lr"]))
    yield from bench.agree(scaled(out, {"p": 2}), image, bitwise=False, names=["p"])


def linear_in_gradients(bench: Bench, trial: Trial) -> Claims:
    """Without decay and past, what g + h moves is the sum of what g and h move."""
    start = trial.plain().flat().fresh(trial.t, p=coarse(trial.p), gradient=coarse(trial.g))
    other = start.on(gradient=np.ascontiguousarray(start.g[::-1]) * 1)
    both = start.on(gradient=cast(start.g + other.g, start.g))
    a, b, c = (bench.step(t) for t in (start, other, both))
    kept = [k for k in by_element(bench, trial) if k in a.got]
    points = [k for k in kept if np.array_equal(start.slot.state[k], start.p)]
    for name in ("p", *kept):
        if name == "p" or name in points or behaviour(bench, name) is FIRST:
            left = exact(a.got[name]) + exact(b.got[name])
            if name == "p" or name in points:
                left = left - exact(start.p).reshape(left.shape)
            bound = left.e + a.bound[name] + b.bound[name] + c.bound[name]
            yield Claim(name, left.v, c.wide(name), bound)


def params_unchanged_when_gradients_are_zero(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, with no decay, zero gradients leave p bit for bit as it was."""
    start = trial.plain().fresh(gradient=trial.g * 0)
    start = start.on(**{k: x * 0 for k, x in start.slot.inputs.items()})
    out = bench.step(start)
    yield Claim("p", out.state["p"], start.p, unless_open(out, "p"))


def params_unchanged_when_lr_is_zero(bench: Bench, trial: Trial) -> Claims:
    """lr = 0 leaves p bit for bit as it was, whatever the gradient and the decay."""
    start = trial.where(lr=0.0)
    out = bench.step(start)
    yield Claim("p", out.state["p"], start.p, unless_open(out, "p"))


def state_independent_of_params(bench: Bench, trial: Trial) -> Claims:
    """The new state does not depend on the parameter: the decay is decoupled."""
    a, b = bench.step(trial), bench.step(trial.on(p=cast(1 - trial.p, trial.p)))
    for name in trial.arrays:
        yield Claim(name, a.state[name], b.state[name])


def state_independent_of_weight_decay(bench: Bench, trial: Trial) -> Claims:
    """The new state does not depend on the weight decay."""
    other = trial.where(weight_decay=trial.hyper["weight_decay"] / 2)
    a, b = bench.step(trial), bench.step(other)
    for name in trial.arrays:
        yield Claim(name, a.state[name], b.state[name])


def even_state_is_nonnegative(bench: Bench, trial: Trial) -> Claims:
    """Squares and magnitudes of gradients are never negative."""
    out = bench.step(trial)
    for name in trial.arrays:
        if behaviour(bench, name).nonnegative:
            x = out.state[name]
            yield Claim(name, np.minimum(x, 0), np.minimum(np.maximum(x, 0), 0))


def first_step_is_at_most_lr(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state no element moves by more than lr, from p = 0 or from elsewhere."""
    limit = exact(np.full(trial.p.shape, trial.hyper["lr"]))
    for p in (trial.p * 0, trial.p):
        out = bench.step(trial.plain().fresh(p=p))
        yield at_most("p", np.abs(exact(out.p) - exact(p)), limit, out.bound["p"])


def decay_alone_is_geometric(bench: Bench, trial: Trial) -> Claims:
    """Zero gradients from the fresh state: the decay multiplies every element by one factor."""
    start = trial.fresh(gradient=trial.g * 0)
    start = start.on(**{k: x * 0 for k, x in start.slot.inputs.items()})
    out, twice = bench.step(start), bench.step(start.fresh(p=cast(2 * start.p, start.p)))
    yield Claim("p", cast(2 * out.p, out.p), twice.p, 2 * out.bound["p"] + twice.bound["p"])


def resumes_bitwise_from_state(bench: Bench, trial: Trial) -> Claims:
    """Two steps are the same with the kernel put to other work between them, from copies."""
    straight = bench.step(trial.after(bench.step(trial), gradient=-trial.g))
    half = bench.step(trial)
    bench.step(trial.fresh().where(lr=trial.hyper["lr"] / 2))
    resumed = bench.step(trial.after(half, gradient=-trial.g))
    yield from bench.agree(straight, resumed, bitwise=bench.rule.FACTS.elementwise)
