"""Faults in averaging gradients and in rates that follow the batch; and the table of all faults."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from truestep.properties.museum.clipping_faults import CLIPPING
from truestep.properties.museum.scaling_faults import SCALING
from truestep.properties.museum.training_kernels import (
    Outputs,
    TrainingFault,
    correct,
    given,
    spoilt,
    with_,
)


def _totals_kept(h: Any, inputs: dict[str, Any], out: Outputs) -> Outputs:
    if not out["due"]:
        return {}
    tensors = zip(inputs["totals"], inputs["gradients"], strict=True)
    return {"totals": [total + inputs["examples"] * g for total, g in tensors]}


def _other_bits(h: Any, inputs: dict[str, Any], out: Outputs) -> Outputs:
    *others, last = out["averaged"]
    return {"averaged": [*others, np.nextafter(last, np.float32(np.inf))]} if others else {}


def _swapped(h: Any, **inputs: Any) -> Outputs:
    h = dataclasses.replace(h)
    object.__setattr__(h, "small", (sizes := (h.small, h.big))[1])
    object.__setattr__(h, "big", sizes[0])
    return correct("gradient_noise_scale")(h, **inputs)


BATCHES = {
    "data_parallel_other_bits": TrainingFault(
        "data_parallel",
        "the last worker's mean differs in its last bit",
        "replicas that each add in an order of their own",
        spoilt("data_parallel", _other_bits),
        check="law:replicas_get_the_same_bits",
    ),
    "data_parallel_sum": TrainingFault(
        "data_parallel",
        "gradients are added, not averaged",
        "an all-reduce without the division",
        spoilt(
            "data_parallel",
            lambda h, inputs, out: {
                "averaged": [x * len(inputs["gradients"]) for x in out["averaged"]]
            },
        ),
    ),
    "data_parallel_weighed": TrainingFault(
        "data_parallel",
        "workers are weighed by their examples where each weighs the same",
        "loss summed over tokens on some workers",
        with_("data_parallel", weights="examples"),
        computes="data_parallel with workers weighed by their numbers of examples",
    ),
    "gradient_accumulation_last_is_lost": TrainingFault(
        "gradient_accumulation",
        "the micro-batch at which the result is due is not part of it",
        "a step before the last backward pass",
        given(
            "gradient_accumulation",
            lambda h, inputs: (
                {"gradients": [np.zeros_like(g) for g in inputs["gradients"]]}
                if inputs["t"] + 1 == h.steps > 1
                else {}
            ),
        ),
    ),
    "gradient_accumulation_mean_of_means": TrainingFault(
        "gradient_accumulation",
        "micro-batches of unequal sizes weigh the same",
        "huggingface/transformers#34191: token means averaged",
        given("gradient_accumulation", lambda h, inputs: {"examples": np.float32(1)}),
    ),
    "gradient_accumulation_sum": TrainingFault(
        "gradient_accumulation",
        "the sum is not divided",
        "the loss not divided by the number of micro-batches",
        with_("gradient_accumulation", form="sum"),
        computes="gradient_accumulation with sum of gradients",
    ),
    "gradient_accumulation_totals_kept": TrainingFault(
        "gradient_accumulation",
        "the total is not zeroed when the result is out",
        "zero_grad forgotten",
        spoilt("gradient_accumulation", _totals_kept),
    ),
    "gradient_noise_scale_biased": TrainingFault(
        "gradient_noise_scale",
        "the squared norm of the large batch's gradient is taken for that of the mean",
        "estimators without their correction",
        spoilt(
            "gradient_noise_scale",
            lambda h, inputs, out: {
                "g2": h.ema * inputs["g2"] + (1 - h.ema) * inputs["big_square"]
            },
        ),
    ),
    "gradient_noise_scale_ratios_averaged": TrainingFault(
        "gradient_noise_scale",
        "ratios are averaged, not the estimates",
        "the paper's warning",
        with_("gradient_noise_scale", form="average_of_ratios"),
        computes="gradient_noise_scale with ratios of the estimates averaged",
    ),
    "gradient_noise_scale_swapped": TrainingFault(
        "gradient_noise_scale",
        "the batch sizes are exchanged",
        "arguments in another order",
        _swapped,
    ),
    "stale_gradients_away_from_then": TrainingFault(
        "stale_gradients",
        "the correction has the way made with the wrong sign",
        "p and p_then exchanged",
        spoilt(
            "stale_gradients",
            lambda h, inputs, out: correct("stale_gradients")(
                h,
                **{**inputs, "then": [2 * p - x for p, x in _pairs(inputs, "params", "then")]},
            ),
        ),
        dialect={"gradient": "compensated"},
    ),
    "stale_gradients_late_by_one": TrainingFault(
        "stale_gradients",
        "the staleness is counted from one",
        "the version read after it was raised",
        given("stale_gradients", lambda h, inputs: {"tau": inputs["tau"] + 1}),
    ),
    "stale_gradients_plain": TrainingFault(
        "stale_gradients",
        "the rate does not depend on the staleness",
        "plain asynchronous SGD",
        with_("stale_gradients", rate="constant"),
        computes="stale_gradients with rate independent of the staleness",
    ),
}


def _pairs(inputs: dict[str, Any], a: str, b: str) -> Any:
    return zip(inputs[a], inputs[b], strict=True)


RATES = {
    "linear_scaling_root": TrainingFault(
        "linear_scaling",
        "the rate grows with the root of the batch",
        "the rule of adaptive methods used for SGD",
        with_("linear_scaling", rule="square_root"),
        computes="linear_scaling with rate proportional to the root of the batch",
    ),
    "linear_scaling_warms_up_early": TrainingFault(
        "linear_scaling",
        "the warm-up is one step ahead",
        "steps counted from one",
        given("linear_scaling", lambda h, inputs: {"t": inputs["t"] + 1}),
    ),
    "linear_scaling_warms_up_from_zero": TrainingFault(
        "linear_scaling",
        "the warm-up starts at zero, not at the base rate",
        "most libraries' warm-up",
        spoilt(
            "linear_scaling",
            lambda h, inputs, out: (
                {"lr": h.lr * inputs["batch"] / h.base_batch * inputs["t"] / h.warmup_steps}
                if inputs["t"] < h.warmup_steps
                else {}
            ),
        ),
    ),
    "mup_adam_output_like_input": TrainingFault(
        "mup_adam",
        "the last layer has the base model's rate, without its multiplier",
        "Tables 3 and 8 mixed",
        spoilt(
            "mup_adam",
            lambda h, inputs, out: {"lr": h.lr} if inputs["role"] == "output" else {},
        ),
    ),
    "mup_adam_root_of_width": TrainingFault(
        "mup_adam",
        "hidden rates fall with the root of the width",
        "the standard parametrisation's initial variance",
        with_("mup_adam", fan_in=lambda h: h.fan_in**0.5),
    ),
    "mup_sgd_widths_swapped": TrainingFault(
        "mup_sgd",
        "fan_in and fan_out are exchanged",
        "weights of (in, out) and (out, in)",
        with_("mup_sgd", fan_in=lambda h: h.fan_out, fan_out=lambda h: h.fan_in),
    ),
}

TRAINING: dict[str, TrainingFault] = {**BATCHES, **CLIPPING, **RATES, **SCALING}
