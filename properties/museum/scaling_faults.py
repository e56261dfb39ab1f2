"""Faults in loss scaling: overflows overlooked, steps not skipped, counters not reset."""

from __future__ import annotations

from typing import Any

import numpy as np

from truestep.properties.museum.training_kernels import (
    Outputs,
    TrainingFault,
    correct,
    given,
    spoilt,
    with_,
)


def _stepped(inputs: dict[str, Any], scale: Any) -> Outputs:
    """The optimizer's step that the piece takes when nothing overflows."""
    tensors = zip(inputs["moments"], inputs["gradients"], strict=True)
    moments = [0.5 * m + g / scale for m, g in tensors]
    params = [p - 0.125 * m for p, m in zip(inputs["params"], moments, strict=True)]
    return {"params": params, "moments": moments}


def _only_nan(h: Any, **inputs: Any) -> Outputs:
    plain = [np.where(np.isinf(g), np.float32(1), g) for g in inputs["gradients"]]
    out = correct("dynamic_loss_scaling")(h, **{**inputs, "gradients": plain})
    return out if out["skipped"] else {**out, **_stepped(inputs, inputs["scale"])}


def _first_tensor_only(h: Any, **inputs: Any) -> Outputs:
    first, *others = inputs["gradients"]
    plain = [first, *(np.where(np.isfinite(g), g, np.float32(1)) for g in others)]
    out = correct("dynamic_loss_scaling")(h, **{**inputs, "gradients": plain})
    return out if out["skipped"] else {**out, **_stepped(inputs, inputs["scale"])}


def _without_last_scale(h: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    return {"scales_above": inputs["scales_above"][-1:]}


def _centred(x: Any) -> Any:
    return x - np.mean(x) if x.size else x


def _unrounded(h: Any, inputs: dict[str, Any], out: Outputs) -> Outputs:
    return {"scale": out["scale"] * np.float32(1.25) if out["scale"] > 1 else out["scale"]}


SCALING = {
    "adaptive_loss_scaling_not_a_power": TrainingFault(
        "adaptive_loss_scaling",
        "the scale is not rounded down to a power of two",
        "a scale used as it is computed",
        spoilt("adaptive_loss_scaling", _unrounded),
        check="law:scale_is_a_power_of_two",
    ),
    "adaptive_loss_scaling_one_scale_of_many": TrainingFault(
        "adaptive_loss_scaling",
        "gradients are divided by the last scale above, not by the product",
        "unscaling by the layer's own scale",
        given("adaptive_loss_scaling", _without_last_scale),
    ),
    "adaptive_loss_scaling_steps_on_infinity": TrainingFault(
        "adaptive_loss_scaling",
        "the step is not skipped",
        "an overflow flag that nobody reads",
        spoilt(
            "adaptive_loss_scaling",
            lambda h, inputs, out: {
                "weight": inputs["weight"]
                - 0.125 * (inputs["gradient"] / np.float32(np.prod(inputs["scales_above"])))
            },
        ),
        check="sequence",
    ),
    "adaptive_loss_scaling_variance_alone": TrainingFault(
        "adaptive_loss_scaling",
        "the means of error and weights are left out of their sizes",
        "a standard deviation in place of a root mean square",
        given(
            "adaptive_loss_scaling",
            lambda h, inputs: {"delta": _centred(inputs["delta"])},
        ),
    ),
    "dynamic_loss_scaling_backs_off_and_steps": TrainingFault(
        "dynamic_loss_scaling",
        "the scale shrinks, but the step is made",
        "huggingface/accelerate and others: a skipped step that was not",
        spoilt(
            "dynamic_loss_scaling",
            lambda h, inputs, out: _stepped(inputs, inputs["scale"]),
        ),
        check="law:a_skipped_step_changes_no_bit",
    ),
    "dynamic_loss_scaling_count_kept_after_growth": TrainingFault(
        "dynamic_loss_scaling",
        "the count of finite steps is not reset when the scale grows",
        "growth at every step once the window is full",
        spoilt(
            "dynamic_loss_scaling",
            lambda h, inputs, out: {} if out["skipped"] else {"good": inputs["good"] + 1},
        ),
    ),
    "dynamic_loss_scaling_count_kept_after_overflow": TrainingFault(
        "dynamic_loss_scaling",
        "finite steps need not be consecutive",
        "an overflow that does not reset the count",
        spoilt(
            "dynamic_loss_scaling",
            lambda h, inputs, out: {"good": inputs["good"]} if out["skipped"] else {},
        ),
        check="sequence",
    ),
    "dynamic_loss_scaling_first_tensor_only": TrainingFault(
        "dynamic_loss_scaling",
        "overflow is looked for in the first tensor only",
        "a flag overwritten by every launch",
        _first_tensor_only,
        check="sequence",
    ),
    "dynamic_loss_scaling_grows_late": TrainingFault(
        "dynamic_loss_scaling",
        "the scale grows after window + 1 finite steps",
        "a counter compared before it is raised",
        with_("dynamic_loss_scaling", window=lambda h: h.window + 1),
    ),
    "dynamic_loss_scaling_grows_without_end": TrainingFault(
        "dynamic_loss_scaling",
        "no limit keeps the scale from becoming infinite",
        "pytorch/pytorch: GradScaler's scale overflows",
        spoilt(
            "dynamic_loss_scaling",
            lambda h, inputs, out: (
                {"scale": inputs["scale"] * h.growth}
                if not out["skipped"] and inputs["good"] + 1 >= h.window
                else {}
            ),
        ),
        check="law:scale_stays_within_its_limits",
    ),
    "dynamic_loss_scaling_infinity_is_fine": TrainingFault(
        "dynamic_loss_scaling",
        "only nan skips the step, infinities are stepped with",
        "x != x as the test",
        _only_nan,
        check="sequence",
    ),
    "dynamic_loss_scaling_moments_of_skipped": TrainingFault(
        "dynamic_loss_scaling",
        "parameters are kept when the step is skipped, moments are not",
        "pytorch/pytorch: fused SGD's momentum on a skipped step",
        spoilt(
            "dynamic_loss_scaling",
            lambda h, inputs, out: {"moments": _stepped(inputs, inputs["scale"])["moments"]},
        ),
        check="sequence",
    ),
    "dynamic_loss_scaling_unscaled_twice": TrainingFault(
        "dynamic_loss_scaling",
        "gradients are divided by the scale twice",
        "Lightning-AI: unscale_ called by the wrapper and by step",
        given(
            "dynamic_loss_scaling",
            lambda h, inputs: {"gradients": [g / inputs["scale"] for g in inputs["gradients"]]},
        ),
    ),
}
