"""Faults in rules that draw noise of their own, and in what they draw."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from truestep.fast.protocol import Group, Slot, Stepped
from truestep.properties.museum.fault import Fault, fault
from truestep.reference.declared import Hyper
from truestep.reference.validation import Array

# Draws of a shape, by the number of steps made and the tensor's place.
Draw = Callable[[int, int, tuple[int, ...]], Array]
StepOne = Callable[[Hyper, Slot], Stepped]

dpsgd = partial(fault, "dpsgd", "norm")
noisy_sgd = partial(fault, "noisy_sgd", "noise")


def _drawing(draw: Draw) -> Callable[[StepOne, Sequence[Group]], list[list[Stepped]]]:
    """The steps by these draws, where none are handed over."""

    def one(step: StepOne, hyper: Hyper, slot: Slot, place: int) -> Stepped:
        own = draw(int(slot.state["t"]), place, slot.param.shape).astype(slot.param.dtype)
        return step(hyper, replace(slot, inputs={"noise": own, **slot.inputs}))

    return lambda step, groups: [
        [one(step, group.hyper, slot, place) for place, slot in enumerate(group.slots)]
        for group in groups
    ]


def _normal(t: int, place: int, shape: tuple[int, ...]) -> Array:
    return np.random.default_rng([t, place]).standard_normal(shape)


def _uniform(t: int, place: int, shape: tuple[int, ...]) -> Array:
    return np.random.default_rng([t, place]).uniform(-(3**0.5), 3**0.5, shape)


def _antithetic(t: int, place: int, shape: tuple[int, ...]) -> Array:
    half = _normal(t, place, (-(-int(np.prod(shape)) // 2),))
    return np.stack([half, -half], axis=-1).reshape(-1)[: np.prod(shape)].reshape(shape)


def _by_lanes(t: int, place: int, shape: tuple[int, ...]) -> Array:
    return np.resize(_normal(t, place, (1024,)), shape)


LENGTHS = "lengths = np.sqrt(np.sum(rest * rest, axis=1, keepdims=True))"
CLIPPED = "clipped = sign * rest / divisor(h, lengths)"
DRAWS = "normal_draws"

NOISY: dict[str, Fault] = {
    "dpsgd_average_clipped": dpsgd(
        "what is clipped is the batch's gradient [lines in another order]",
        ("first = sign * g / divisor(h, length)", "first = sign * g"),
        (CLIPPED, "clipped = sign * rest"),
        ("total = first + np.sum(clipped, axis=0).reshape(p.shape)",
         "whole = first + np.sum(clipped, axis=0).reshape(p.shape); "
         "total = whole / np.maximum(1.0, np.sqrt(np.sum(whole * whole)) / h.clip)"),
    ),
    "dpsgd_every_example_as_long_as_clip": dpsgd(
        "short gradients are made longer [a maximum forgotten]",
        (CLIPPED, "clipped = sign * rest / (lengths / h.clip)"),
    ),
    "dpsgd_largest_element": dpsgd(
        "the largest element is taken for the length [a reduction mixed up]",
        (LENGTHS, "lengths = np.max(np.abs(rest), axis=1, keepdims=True, initial=0.0)"),
    ),
    "dpsgd_length_squared": dpsgd(
        "the squared length is held against clip [a function not called]",
        (LENGTHS, "lengths = np.sum(rest * rest, axis=1, keepdims=True)"),
    ),
    "dpsgd_momentum_not_stored": dpsgd(
        "the momentum stays as it was [state not written back]", ("b=b), p", "b=s.b), p")
    ),
    "dpsgd_nesterov_of_the_old_sum": dpsgd(
        "Nesterov's step looks at the momentum before [state read before it was written]",
        ("u + h.momentum * b if", "u + h.momentum * s.b if"),
    ),
    "dpsgd_noise_after_the_average": dpsgd(
        "noise is not divided by the batch [brackets in another place]",
        ("(total + h.noise_multiplier * h.clip * noise) / (1 + len(others))",
         "total / (1 + len(others)) + h.noise_multiplier * h.clip * noise"),
    ),
    "dpsgd_noise_not_scaled_by_clip": dpsgd(
        "the deviation is the multiplier alone [a factor forgotten]",
        ("h.noise_multiplier * h.clip * noise", "h.noise_multiplier * noise"),
    ),
    "dpsgd_nan_not_shortened": dpsgd(
        "an example with a nan is not shortened [a nan taken for a number]",
        ('if h.unknown_length == "unclipped" else due', 'if h.clip else due'),
        check="special_values",
        computes="dpsgd with an example with a nan is not shortened",
    ),
    "dpsgd_one_example_too_few": dpsgd(
        "the batch is counted without its first example [an index off by one]",
        ("/ (1 + len(others))", "/ len(others)"),
    ),
    "dpsgd_sum_for_the_average": dpsgd(
        "the sum is not divided [a reduction mixed up]", (" / (1 + len(others))", "")
    ),
    "dpsgd_tensors_lanes_repeat": dpsgd(
        "a block's draws are those of the next [one seed for all blocks]",
        groups=_drawing(_by_lanes), check=DRAWS, single=True,
    ),
    "dpsgd_variance_for_the_deviation": dpsgd(
        "the multiplier is squared [variance and deviation mixed up]",
        ("h.noise_multiplier * h.clip * noise", "h.noise_multiplier**2 * h.clip * noise"),
    ),
    "noisy_sgd_antithetic_neighbours": noisy_sgd(
        "of two neighbours one is the negative of the other [half of the random numbers saved]",
        groups=_drawing(_antithetic), check=DRAWS,
    ),
    "noisy_sgd_count_from_zero": noisy_sgd(
        "the first step counts as none [a counter one step behind]",
        ("/ t**h.gamma", "/ (t - 1 or 1)**h.gamma"),
    ),
    "noisy_sgd_deviation_of_a_uniform": noisy_sgd(
        "the draws are uniform, of the same variance [another distribution]",
        groups=_drawing(_uniform), check=DRAWS,
    ),
    "noisy_sgd_does_not_fall": noisy_sgd(
        "the variance stays as it began [a factor forgotten]", ("h.eta / t**h.gamma", "h.eta")
    ),
    "noisy_sgd_falls_as_the_deviation": noisy_sgd(
        "the deviation falls as the variance should [brackets in another place]",
        ("np.sqrt(h.eta / t**h.gamma)", "np.sqrt(h.eta) / t**h.gamma"),
    ),
    "noisy_sgd_lanes_repeat": noisy_sgd(
        "a block's draws are those of the next [one seed for all blocks]",
        groups=_drawing(_by_lanes), check=DRAWS,
    ),
    "noisy_sgd_noise_not_scaled_by_lr": noisy_sgd(
        "the noise is added to the parameter [brackets in another place]",
        ("h.lr * (g + sigma * noise)", "(h.lr * g + sigma * noise)"),
    ),
    "noisy_sgd_one_stream_for_all_steps": noisy_sgd(
        "every step draws the same numbers [a seed not advanced]",
        groups=_drawing(lambda t, place, shape: _normal(0, place, shape)), check=DRAWS,
    ),
    "noisy_sgd_one_stream_for_all_tensors": noisy_sgd(
        "every tensor draws the same numbers [a seed not split]",
        groups=_drawing(lambda t, place, shape: _normal(t, 0, shape)), check=DRAWS,
    ),
    "noisy_sgd_truncated": noisy_sgd(
        "draws are cut off at two deviations [truncated_normal for normal]",
        groups=_drawing(lambda t, place, shape: np.clip(_normal(t, place, shape), -2, 2)),
        check=DRAWS,
    ),
    "noisy_sgd_variance_for_the_deviation": noisy_sgd(
        "the variance multiplies [a function not called]",
        ("np.sqrt(h.eta / t**h.gamma)", "h.eta / t**h.gamma"),
    ),
}  # fmt: skip
