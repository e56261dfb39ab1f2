"""Rules that are nearly the right ones, and stores that nearly are, violate the named theorems."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from truestep.properties.kinds.theorem.theorems import controls, planted
from truestep.properties.kinds.theorem.theorems.controls import Sabotage
from truestep.properties.kinds.theorem.theorems.kernels import Kernel, reference
from truestep.properties.kinds.theorem.theorems.table import LEVEL, THEOREMS
from truestep.properties.kinds.theorem.theorems.theorem import Trial

pytestmark = pytest.mark.power

# A theorem, and another form of its rule in the rule's place.
FORMS: list[tuple[str, str, dict[str, str]]] = [
    ("adam_bounded_step", "adam", {"bias_correction": "none"}),
    ("adam_non_convergence", "amsgrad", {}),
    ("adamw_fixed_point", "adamw", {"decay": "after"}),
    ("adamw_fixed_point", "adam", {"decay": "coupled"}),
    ("decoupled_decay_is_absolute", "adam", {"decay": "coupled"}),
    ("kfac_exactness", "kfac", {"decay": "before"}),
    ("l2_decay_is_relative", "adam", {"decay": "after"}),
    ("lion_box", "lion", {"decay": "coupled"}),
    ("muon_singular_values", "muon", {"norm": "spectral"}),
    ("muon_singular_values", "muon", {"coefficients": "quintic"}),
    ("muon_spectral_bound", "muon", {"decay": "coupled"}),
    ("prodigy_estimate", "prodigy", {"bias_correction": "rate"}),
    ("rmsprop_bounded_step", "rmsprop", {"bias_correction": "both"}),
    ("shampoo_regret", "shampoo", {"exponent": "order"}),
    ("sign_scale_free", "signsgd", {"decay": "coupled"}),
]
# Of these K-FAC alone has no decay set, in which case the two forms are one rule.
ALIKE = {("kfac_exactness", "before")}


def in_its_place(rule: str, dialect: dict[str, str]) -> Sabotage:
    """The reference of another form, told all that the experiment sets."""
    return lambda _: controls.Spoilt(reference(rule, **dialect))


@pytest.mark.parametrize(("name", "rule", "dialect"), FORMS)
def test_another_form_is_noticed(name: str, rule: str, dialect: dict[str, str]) -> None:
    """The experiment holds the kernel to the form that it declares."""
    theorem = THEOREMS[name]
    due = {field: values[0] for field, values in theorem.subject.dialect.items()}

    def declared(kernel: Kernel) -> Any:
        # What the experiment reads of the form is the declared one, what steps is the other.
        wrong = controls.Spoilt(kernel)
        return _Stepping(wrong, in_its_place(rule, dialect)(kernel))

    kernel = declared(reference(theorem.subject.rule, theorem.subject.kind, **due))
    with np.errstate(all="ignore"):
        evidence = theorem.experiment(kernel, Trial(5, LEVEL))
    alike = any(name == known and form in dialect.values() for known, form in ALIKE)
    assert (evidence.statistic <= 1) is alike


class _Stepping:
    """A kernel that declares one thing and does another."""

    def __init__(self, declared: Kernel, does: Kernel) -> None:
        self.u, self.capability, self.hyper = declared.u, declared.capability, declared.hyper
        self.start, self.outputs, self.rates = does.start, does.outputs, does.rates


def truncated(x: Any, u: float) -> Any:
    """Cut to a number of the kernel's format, toward zero."""
    mantissa, exponent = np.frexp(np.asarray(x, np.longdouble))
    return np.ldexp(np.trunc(mantissa / u) * u, exponent)


def dead_below(limit: float) -> Callable[[Any, Any, float], Any]:
    """Updates below the limit are lost."""
    return lambda p, update, u: p - np.where(np.abs(update) < limit, 0.0, update)


STORES: list[tuple[str, str, Sabotage]] = [
    ("stall_radius", "truncated store", planted.stored(truncated)),
    ("stall_radius", "dead zone of 1e-8", planted.moved(dead_below(1e-8))),
    (
        "stall_radius",
        "dead zone of 1e-3 p",
        planted.moved(
            lambda p, update, u: p - np.where(np.abs(update) < 1e-3 * np.abs(p), 0.0, update)
        ),
    ),
    ("compensation", "dead zone of 1e-8", planted.moved(dead_below(1e-8))),
    ("gradient_norm", "dead zone of 0.3", planted.moved(dead_below(0.3))),
]


@pytest.mark.parametrize(("name", "fault", "sabotage"), STORES)
def test_a_wrong_store_is_noticed(name: str, fault: str, sabotage: Sabotage) -> None:
    """Faults that each step's tolerance may hide show where training ends."""
    evidence = THEOREMS[name].experiment(sabotage(reference("sgd")), Trial(6, LEVEL))
    assert not evidence.statistic <= 1, fault
