"""Laws of rules that estimate second derivatives."""

from __future__ import annotations

import numpy as np

from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, at_most, due, exact
from truestep.properties.kinds.optimizer.laws.images import cast, coarse
from truestep.properties.laws.claims import Claim, Claims
from truestep.reference.validation import Array


def step_at_most_lr_times_limit(bench: Bench, trial: Trial) -> Claims:
    """From p = 0 no element moves by more than lr times limit, whatever the curvature."""
    start = trial.plain().on(p=trial.p * 0)
    out = bench.step(start)
    limit = exact(trial.hyper["lr"]) * trial.hyper.get("limit", 1.0)
    yield at_most("p", np.abs(exact(out.p)), limit, out.bound["p"])


def inputs_are_read_only_when_due(bench: Bench, trial: Trial) -> Claims:
    """Between two refreshes what is handed over besides the gradient does not show."""
    period = trial.hyper.get("period", 2)
    if period == 1:
        return
    start = trial.on(t=trial.t + (trial.t % period == 0))
    other = start.on(**{k: cast(1 - x, x) for k, x in start.slot.inputs.items()})
    a, b = bench.step(start), bench.step(other)
    for name in a.state:
        yield Claim(name, a.state[name], b.state[name])


def first_step_is_descent_over_the_root_of_damping(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state p' = p - lr (1 - momentum) g / sqrt(damping)."""
    start = trial.plain().fresh(p=trial.p * 0)
    h = trial.hyper
    rate = h["lr"] * (1 - exact(h.get("momentum", 0.0))) / np.sqrt(exact(h["damping"]))
    yield due("p", bench.step(start), -rate * exact(start.g))


def equivariant_under_scaled_activations(bench: Bench, trial: Trial) -> Claims:
    """Without damping, c a and W / c for each input of a layer move W by 1 / c times as much."""
    rng = trial.rng
    examples = len(trial.slot.inputs["activations"])
    p, g, a, d = (
        cast(np.rint(4 * rng.standard_normal(shape)), trial.p)
        for shape in ((2, 2), (2, 2), (examples, 2), (examples, 2))
    )
    others: dict[str, Array] = {
        k: cast(np.resize(x, (examples, 2)), x)
        for k, x in trial.slot.inputs.items()
        if k not in ("activations", "derivatives")
    }
    start = trial.plain().fresh(p=p, gradient=g, activations=a, derivatives=d).on(**others)
    c = np.asarray([4.0, 0.5])
    image = start.on(p=cast(p / c, p), gradient=cast(g * c, g), activations=cast(a * c, a))
    out, scaled = bench.step(start), bench.step(image)
    bound = out.bound["p"] / c + scaled.bound["p"]
    yield Claim("p", out.wide("p") / c, scaled.wide("p"), bound)


def never_climbs(bench: Bench, trial: Trial) -> Claims:
    """On a convex quadratic the new point's value is at most the old one's."""
    a, b = np.abs(coarse(trial.p)), coarse(trial.g)
    start = trial.fresh(p=coarse(trial.p[::-1]), gradient=b, curvature=a)
    out = bench.step(start)

    def value(x: Array) -> Array:
        return np.sum(0.5 * (exact(a) * (exact(x) * exact(x))) + exact(b) * exact(x))

    yield at_most("p", value(out.state["p"]), value(start.p))


def weights_of_pairs_are_inverse_curvatures(bench: Bench, trial: Trial) -> Claims:
    """What is kept for a pair s, y is 1 / (s'y): of pairs that the kernel made, in three steps."""
    out = bench.run(trial.fresh(), [trial.g] * 3)[-1]
    name = "rho" if "rho" in out.got else "kept"
    weight, off = out.wide(name), out.bound[name]
    s, y = exact(out.got["steps"]), exact(out.got["changes"])
    product = np.sum(s * y, axis=1) * exact(weight)
    size = np.sum(np.abs(s.v) * out.bound["changes"] + np.abs(y.v) * out.bound["steps"], axis=1)
    bound = product.e + np.abs(weight) * size + off * np.abs(np.sum(s.v * y.v, axis=1))
    yield Claim(name, product.v, np.where(weight == 0, 0.0, 1.0), bound)
