"""The laws of training-loop pieces, what each speaks of, and how it is checked.

No law names a piece. A law says what it speaks of: names of inputs and of hyperparameters, words of
INPUTS, or "clips" and "skips" for the pieces that have a limit for gradients and those that leave
out steps. training_table.py says of every piece for which of them a law holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from truestep.fast.protocol import Capability
from truestep.properties.judge.contracts import Judged, agreement
from truestep.properties.kinds.optimizer.laws.claims import Claim
from truestep.properties.kinds.training import step as training
from truestep.properties.kinds.training.cases import Ranges, TrainingCase
from truestep.properties.kinds.training.laws import statements as laws
from truestep.properties.kinds.training.laws.bench import Bench, Trial
from truestep.properties.kinds.training.laws.table import DEGREES, LIMITS, SKIPPING, TABLE, Holds
from truestep.reference.training import TRAINING

# Shapes that laws can reverse, join and flatten.
RANGES = Ranges(
    shapes=((4,), (3, 5), (17,)),
    kinds=("normal", "spread"),
    exponents=(-2, 1),
    specials=("zero",),
    tensors=(2, 3),
)


@dataclass(frozen=True, slots=True)
class Law:
    """A law: its claims, what a piece must have for it to say anything, and what it sets itself.

    of: names of inputs or hyperparameters, words of INPUTS, "clips" or "skips". sets: fields of
    Hyper that it changes, which therefore must not be fixed.
    """

    claims: Callable[[Bench, Trial], Iterator[Claim]]
    of: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        """What it says."""
        return (self.claims.__doc__ or "").strip()

    @property
    def description(self) -> str:
        """The same, for lists."""
        return self.about


LAWS: dict[str, Law] = {
    "a_repeated_gradient_is_the_result": Law(laws.a_repeated_gradient_is_the_result, ("totals",)),
    "a_skipped_step_changes_no_bit": Law(laws.a_skipped_step_changes_no_bit, ("skips",)),
    "averages_of_a_constant_stay": Law(laws.averages_of_a_constant_stay, ("ema",)),
    "base_model_when_widths_are_one": Law(
        laws.base_model_when_widths_are_one, ("role",), ("fan_in", "fan_out")
    ),
    "begins_anew_when_due": Law(laws.begins_anew_when_due, ("totals",)),
    "deterministic": Law(laws.deterministic),
    "each_tensor_as_if_alone": Law(laws.each_tensor_as_if_alone, ("gradients",)),
    "equivariant_under_concatenation": Law(laws.equivariant_under_concatenation, ("tensors",)),
    "equivariant_under_order_of_tensors": Law(
        laws.equivariant_under_order_of_tensors, ("gradients",)
    ),
    "fresh_gradients_make_a_plain_step": Law(laws.fresh_gradients_make_a_plain_step, ("tau",)),
    "hidden_rate_is_the_base_models": Law(laws.hidden_rate_is_the_base_models, ("role",)),
    "homogeneous": Law(laws.homogeneous),
    "idempotent": Law(laws.idempotent, ("clips",)),
    "input_rate_is_the_base_models": Law(laws.input_rate_is_the_base_models, ("role",)),
    "mean_of_equal_gradients_is_the_gradient": Law(
        laws.mean_of_equal_gradients_is_the_gradient, ("replicas",)
    ),
    "no_noise_when_the_squares_agree": Law(laws.no_noise_when_the_squares_agree, ("ema",)),
    "norm_at_most_the_limit": Law(laws.norm_at_most_the_limit, ("max_norm",)),
    "odd": Law(laws.odd, ("gradients",)),
    "output_rate_halves_as_fan_in_doubles": Law(
        laws.output_rate_halves_as_fan_in_doubles, ("role",), ("fan_in",)
    ),
    "parallel_to_the_gradient": Law(laws.parallel_to_the_gradient, ("clips",)),
    "rate_depends_on_the_ratio_of_batches_alone": Law(
        laws.rate_depends_on_the_ratio_of_batches_alone, ("batch",), ("base_batch",)
    ),
    "rate_is_lr_at_the_base_batch": Law(laws.rate_is_lr_at_the_base_batch, ("batch",)),
    "rate_times_decay_is_kept": Law(laws.rate_times_decay_is_kept, ("role",)),
    "replicas_get_the_same_bits": Law(laws.replicas_get_the_same_bits, ("replicas",)),
    "scale_halves_when_the_error_doubles": Law(
        laws.scale_halves_when_the_error_doubles, ("delta",)
    ),
    "scale_is_a_power_of_two": Law(laws.scale_is_a_power_of_two, ("skips",)),
    "scale_stays_within_its_limits": Law(laws.scale_stays_within_its_limits, ("max_scale",)),
    "scales_above_cancel": Law(laws.scales_above_cancel, ("scales_above",)),
    "small_elements_kept_beside_large_ones": Law(
        laws.small_elements_kept_beside_large_ones, ("clips",)
    ),
    "step_is_inverse_in_the_staleness": Law(laws.step_is_inverse_in_the_staleness, ("tau",)),
    "unchanged_when_params_grow_as_the_limit_falls": Law(
        laws.unchanged_when_params_grow_as_the_limit_falls, ("clipping",), ("clipping", "eps")
    ),
    "unscaling_cancels_scaling": Law(laws.unscaling_cancels_scaling, ("max_scale",)),
}


def speaks_of(law: Law, rule: str) -> bool:
    """Whether the law says anything of a piece."""
    piece = TRAINING[rule]
    known = {*piece.INPUTS, *piece.INPUTS.values(), *piece.Hyper.__dataclass_fields__}
    known |= ({"clips"} if rule in LIMITS else set()) | ({"skips"} if rule in SKIPPING else set())
    return set(law.of) <= known


def holding(capability: Capability) -> list[str]:
    """Names of the laws that hold for a capability, and that need not change what it fixes."""
    piece = TRAINING[capability.rule]
    chosen = {name: getattr(piece.Hyper(), name) for name in piece.DIALECTS} | dict(
        capability.dialect
    )
    out = []
    for name, entry in TABLE[capability.rule].items():
        holds = isinstance(entry, Holds) and all(chosen[f] in v for f, v in entry.when.items())
        sets = DEGREES[capability.rule] if name == "homogeneous" else LAWS[name].sets
        if holds and not any(capability.fixed.get(field) for field in sets):
            out.append(name)
    return out


def claimed(bench: Bench, name: str, trial: Trial) -> list[Judged]:
    """The law's claims on a trial, judged."""
    return [
        Judged(0, 0, 0, claim.tensor, agreement(claim.left, claim.right, claim.bound))
        for claim in LAWS[name].claims(bench, trial)
    ]


def judgements(backend: Any, capability: Capability, name: str, case: TrainingCase) -> list[Judged]:
    """The law's claims on the first call of a case, judged."""
    inputs = training.drawn(capability, case.calls[0])
    with np.errstate(all="ignore"):
        return claimed(Bench(backend, capability), name, Trial(dict(case.hyper), inputs))
