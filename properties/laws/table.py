"""Which rule obeys which law: read from top to bottom. What does not hold carries a counterexample.

Holds(field=values): the law holds in these dialects; Fails: it does not, in the dialects given and
at the stored counterexample, which the tests run again; Void: the rule has nothing the law speaks
of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Holds:
    """The law holds, in the listed dialects where there is a restriction."""

    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fails:
    """The law does not hold: why, and one tensor before a step at which its claims are wrong.

    state: fields that differ from the fresh state.
    """

    why: str
    hyper: Mapping[str, Any]
    p: tuple[float, ...]
    g: tuple[float, ...]
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Void:
    """The law says nothing about this rule: why."""

    why: str


Entry = Holds | Fails | Void

_DECOUPLED = {"decay": ("before", "after", "unscaled")}
_NO_EPS = Void("no eps")
_NO_MAXIMUM = Void("no stored maximum")
_NO_SQUARES = Void("no second moment")

TABLE: dict[str, dict[str, Entry]] = {
    "adam": {
        "decay_alone_is_geometric": Fails(
            "a coupled decay passes through the adaptive step, which forgets its size",
            {"lr": 0.1, "weight_decay": 0.5, "eps": 1e-8},
            (1.0, -3.0),
            (0.0, 0.0),
        ),
        "deterministic": Holds(),
        "equivariant_under_concatenation": Holds(),
        "equivariant_under_permutation": Holds(),
        "equivariant_under_reflection": Holds(),
        "equivariant_under_rotation": Fails(
            "the step is taken element by element",
            {"lr": 0.1},
            (0.0, 0.0, 0.0, 0.0),
            (4.0, 1.0, 0.0, -2.0),
        ),
        "even_state_is_nonnegative": Holds(),
        "first_step_is_at_most_lr": Holds({"bias_correction": ("both",)}),
        "homogeneous_in_gradient_and_eps": Holds(),
        "independent_of_other_tensors": Holds(),
        "linear_in_gradients": Fails(
            "the step divides by the root of the second moment", {"lr": 0.1}, (0.0,), (2.0,)
        ),
        "linear_in_lr_when_params_are_zero": Holds(),
        "maximizing_is_minimizing_the_negated_gradient": Holds(),
        "maximum_never_decreases": _NO_MAXIMUM,
        "odd": Holds(),
        "params_unchanged_when_gradients_are_zero": Holds(),
        "params_unchanged_when_lr_is_zero": Holds(),
        "resumes_bitwise_from_state": Holds(),
        "scale_invariant_when_eps_is_zero": Holds(),
        "state_independent_of_params": Holds({"decay": ("before", "after")}),
        "state_independent_of_weight_decay": Holds({"decay": ("before", "after")}),
        "step_within_the_cauchy_schwarz_bound": Holds({"bias_correction": ("both",)}),
        "translates_with_params": Holds(),
    },
    "adamw": {
        "decay_alone_is_geometric": Holds(),
        "deterministic": Holds(),
        "equivariant_under_concatenation": Holds(),
        "equivariant_under_permutation": Holds(),
        "equivariant_under_reflection": Holds(),
        "equivariant_under_rotation": Fails(
            "the step is taken element by element",
            {"lr": 0.1},
            (0.0, 0.0, 0.0, 0.0),
            (4.0, 1.0, 0.0, -2.0),
        ),
        "even_state_is_nonnegative": Holds(),
        "first_step_is_at_most_lr": Holds(),
        "homogeneous_in_gradient_and_eps": Holds(),
        "independent_of_other_tensors": Holds(),
        "linear_in_gradients": Fails(
            "the step divides by the root of the second moment", {"lr": 0.1}, (0.0,), (2.0,)
        ),
        "linear_in_lr_when_params_are_zero": Holds({"decay": ("before", "unscaled")}),
        "maximizing_is_minimizing_the_negated_gradient": Holds(),
        "maximum_never_decreases": _NO_MAXIMUM,
        "odd": Holds(),
        "params_unchanged_when_gradients_are_zero": Holds(),
        "params_unchanged_when_lr_is_zero": Holds({"decay": ("before", "after")}),
        "resumes_bitwise_from_state": Holds(),
        "scale_invariant_when_eps_is_zero": Holds(),
        "state_independent_of_params": Holds(_DECOUPLED),
        "state_independent_of_weight_decay": Holds(_DECOUPLED),
        "step_within_the_cauchy_schwarz_bound": Holds(),
        "translates_with_params": Holds(),
    },
    "amsgrad": {
        "decay_alone_is_geometric": Fails(
            "a coupled decay passes through the adaptive step, which forgets its size",
            {"lr": 0.1, "weight_decay": 0.5, "eps": 1e-8},
            (1.0, -3.0),
            (0.0, 0.0),
        ),
        "deterministic": Holds(),
        "equivariant_under_concatenation": Holds(),
        "equivariant_under_permutation": Holds(),
        "equivariant_under_reflection": Holds(),
        "equivariant_under_rotation": Fails(
            "the step is taken element by element",
            {"lr": 0.1},
            (0.0, 0.0, 0.0, 0.0),
            (4.0, 1.0, 0.0, -2.0),
        ),
        "even_state_is_nonnegative": Holds(),
        "first_step_is_at_most_lr": Holds({"bias_correction": ("both",)}),
        "homogeneous_in_gradient_and_eps": Holds(),
        "independent_of_other_tensors": Holds(),
        "linear_in_gradients": Fails(
            "the step divides by the root of the second moment", {"lr": 0.1}, (0.0,), (2.0,)
        ),
        "linear_in_lr_when_params_are_zero": Holds(),
        "maximizing_is_minimizing_the_negated_gradient": Holds(),
        "maximum_never_decreases": Holds(),
        "odd": Holds(),
        "params_unchanged_when_gradients_are_zero": Holds(),
        "params_unchanged_when_lr_is_zero": Holds(),
        "resumes_bitwise_from_state": Holds(),
        "scale_invariant_when_eps_is_zero": Holds(),
        "state_independent_of_params": Holds({"decay": ("before",)}),
        "state_independent_of_weight_decay": Holds({"decay": ("before",)}),
        "step_within_the_cauchy_schwarz_bound": Holds({"bias_correction": ("both",)}),
        "translates_with_params": Holds(),
    },
    "nesterov": {
        "decay_alone_is_geometric": Holds(),
        "deterministic": Holds(),
        "equivariant_under_concatenation": Holds(),
        "equivariant_under_permutation": Holds(),
        "equivariant_under_reflection": Holds(),
        "equivariant_under_rotation": Holds(),
        "even_state_is_nonnegative": _NO_SQUARES,
        "first_step_is_at_most_lr": Fails(
            "the step is proportional to the gradient", {"lr": 0.1}, (0.0,), (3.0,)
        ),
        "homogeneous_in_gradient_and_eps": _NO_EPS,
        "independent_of_other_tensors": Holds(),
        "linear_in_gradients": Holds(),
        "linear_in_lr_when_params_are_zero": Fails(
            "a velocity with lr inside keeps the rate of its own time",
            {"lr": 0.1, "momentum": 0.9},
            (0.0,),
            (1.0,),
            {"t": 3, "u": (1.0,)},
        ),
        "maximizing_is_minimizing_the_negated_gradient": Holds(),
        "maximum_never_decreases": _NO_MAXIMUM,
        "odd": Holds(),
        "params_unchanged_when_gradients_are_zero": Holds(),
        "params_unchanged_when_lr_is_zero": Holds({"form": ("torch",)}),
        "resumes_bitwise_from_state": Holds(),
        "scale_invariant_when_eps_is_zero": _NO_EPS,
        "state_independent_of_params": Holds({"decay": ("decoupled",)}),
        "state_independent_of_weight_decay": Holds({"decay": ("decoupled",)}),
        "step_within_the_cauchy_schwarz_bound": _NO_SQUARES,
        "translates_with_params": Holds(),
    },
    "sgd": {
        "decay_alone_is_geometric": Holds(),
        "deterministic": Holds(),
        "equivariant_under_concatenation": Holds(),
        "equivariant_under_permutation": Holds(),
        "equivariant_under_reflection": Holds(),
        "equivariant_under_rotation": Holds(),
        "even_state_is_nonnegative": _NO_SQUARES,
        "first_step_is_at_most_lr": Fails(
            "the step is proportional to the gradient", {"lr": 0.1}, (0.0,), (3.0,)
        ),
        "homogeneous_in_gradient_and_eps": _NO_EPS,
        "independent_of_other_tensors": Holds(),
        "linear_in_gradients": Holds(),
        "linear_in_lr_when_params_are_zero": Holds({"momentum_form": ("lr_outside",)}),
        "maximizing_is_minimizing_the_negated_gradient": Holds(),
        "maximum_never_decreases": _NO_MAXIMUM,
        "odd": Holds(),
        "params_unchanged_when_gradients_are_zero": Holds(),
        "params_unchanged_when_lr_is_zero": Holds({"momentum_form": ("lr_outside",)}),
        "resumes_bitwise_from_state": Holds(),
        "scale_invariant_when_eps_is_zero": _NO_EPS,
        "state_independent_of_params": Holds({"decay": ("decoupled",)}),
        "state_independent_of_weight_decay": Holds({"decay": ("decoupled",)}),
        "step_within_the_cauchy_schwarz_bound": _NO_SQUARES,
        "translates_with_params": Holds(),
    },
}


def holding(rule: str, dialect: Mapping[str, str], defaults: Mapping[str, Any]) -> list[str]:
    """Names of the laws that hold for a rule in a dialect; defaults are the Hyper's."""
    chosen = {**defaults, **dialect}
    return [
        law
        for law, entry in TABLE.get(rule, {}).items()
        if isinstance(entry, Holds)
        and all(chosen.get(name) in values for name, values in entry.when.items())
    ]
