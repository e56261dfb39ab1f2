"""Laws of layer-wise rates: a step is measured by the norm of the tensor that it moves."""

from __future__ import annotations

from truestep.properties.kinds.optimizer.laws.bench import (
    Bench,
    Trial,
    at_most,
    exact,
    norm,
    way,
)
from truestep.properties.kinds.optimizer.laws.images import cast, scaled
from truestep.properties.kinds.optimizer.laws.scales import gradient_scaled
from truestep.properties.laws.claims import Claim, Claims
from truestep.reference.declared import STEP
from truestep.reference.validation import Array


def _stretch(start: Trial) -> Array:
    size = norm(exact(start.p))
    return start.hyper["lr"] * (start.hyper.get("trust_coefficient", 1.0) * size)


def norm_of_step_is_lr_times_norm_of_params(bench: Bench, trial: Trial) -> Claims:
    """|p' - p| = lr |p|, times the trust coefficient, whatever the gradient and the decay."""
    start = trial.fresh()
    out = bench.step(start)
    length, slack = way(start, out)
    limit = _stretch(start)
    yield Claim("p", length.v, limit.v, length.e + limit.e + slack)


def norm_of_step_at_most_lr_times_norm_of_params(bench: Bench, trial: Trial) -> Claims:
    """|p' - p| <= lr |p|, times the trust coefficient."""
    start = trial.fresh()
    out = bench.step(start)
    length, slack = way(start, out)
    yield at_most("p", length, _stretch(start), slack)


def step_scales_with_params(bench: Bench, trial: Trial) -> Claims:
    """Without decay, p times c and g times k move p by c times what it moved."""
    c, k = 2.0**3, 2.0**6
    start = trial.plain()
    image = gradient_scaled(bench, start, k).on(p=cast(trial.p * c, trial.p))
    steps = [name for name, b in bench.rule.State.BEHAVIOUR.items() if b is STEP and _of_lr(trial)]
    state = {name: cast(trial.slot.state[name] * c, trial.p) for name in steps}
    out = bench.step(start)
    expected = scaled(out, {"p": c, **dict.fromkeys(steps, c)})
    yield from bench.agree(
        expected, bench.step(image.on(**state)), bitwise=False, names=["p", *steps]
    )


def _of_lr(trial: Trial) -> bool:
    """Whether buffers hold steps in the parameter's own scale."""
    return trial.hyper.get("momentum") != "of_update"
