"""Laws of layer-wise rates: a step is measured by the norm of the tensor that it moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from truestep.properties.kinds.optimizer.laws.claims import (
    Bench,
    Claim,
    Law,
    Outcome,
    Trial,
    at_most,
    exact,
)
from truestep.properties.kinds.optimizer.laws.images import cast, scaled
from truestep.properties.kinds.optimizer.laws.scales import gradient_scaled
from truestep.reference.declared import STEP


def norm(x: Any) -> Any:
    """The Euclidean norm over all elements."""
    return np.sqrt(np.sum(x * x))


def way(start: Trial, out: Outcome) -> tuple[Any, Any]:
    """The length of the step, and by how much the kernel's may differ."""
    return norm(exact(out.p) - exact(start.p)), np.sqrt(np.sum(out.bound["p"] ** 2))


def _stretch(start: Trial) -> Any:
    size = norm(exact(start.p))
    return start.hyper["lr"] * (start.hyper.get("trust_coefficient", 1.0) * size)


def norm_of_step_is_lr_times_norm_of_params(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """|p' - p| = lr |p|, times the trust coefficient, whatever the gradient and the decay."""
    start = trial.fresh()
    out = bench.step(start)
    length, slack = way(start, out)
    limit = _stretch(start)
    yield Claim("p", length.v, limit.v, length.e + limit.e + slack)


def norm_of_step_at_most_lr_times_norm_of_params(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """|p' - p| <= lr |p|, times the trust coefficient."""
    start = trial.fresh()
    out = bench.step(start)
    length, slack = way(start, out)
    yield at_most("p", length, _stretch(start), slack)


def step_scales_with_params(bench: Bench, trial: Trial) -> Iterator[Claim]:
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


LARGE_BATCH: Mapping[str, Law] = {
    "norm_of_step_at_most_lr_times_norm_of_params": norm_of_step_at_most_lr_times_norm_of_params,
    "norm_of_step_is_lr_times_norm_of_params": norm_of_step_is_lr_times_norm_of_params,
    "step_scales_with_params": step_scales_with_params,
}
