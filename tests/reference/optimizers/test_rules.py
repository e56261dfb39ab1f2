"""Facts every reference obeys: purity, validation, documentation, and the table that lists them."""

from __future__ import annotations

import dataclasses
import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from truestep.properties.kinds.optimizer.laws.bench import OPPOSED
from truestep.reference import optimizers
from truestep.reference.optimizers import FROM_FUNCTION, OPTIMIZERS, nesterov

HEADINGS = ["Rule", "Shapes", "Domain", "Choices", "Special cases", "Judged", "Sources"]
RULES = OPTIMIZERS | FROM_FUNCTION
ALL = pytest.mark.parametrize("rule", sorted(RULES))
TAKES_GRADIENT = pytest.mark.parametrize("rule", sorted(OPTIMIZERS))

# Hyperparameters that may be negative.
SIGNED = {"f_min", "lower_bound", "ns_a", "ns_b", "ns_c", "target"}


def _dialects(rule: str) -> list[dict[str, str]]:
    """The defaults, and every dialect that departs from them in one field."""
    return [{}] + [
        {field: value} for field, values in RULES[rule].DIALECTS.items() for value in values
    ]


def _numbers(rule: str) -> list[str]:
    """The fields of Hyper that hold real numbers."""
    hints = get_type_hints(RULES[rule].Hyper)
    return [field for field, hint in hints.items() if hint is float]


def test_tables_list_every_module_of_the_folder_in_alphabetical_order() -> None:
    """A rule's file without a line in a table, or a line without a file, is named here."""
    folder = Path(next(iter(optimizers.__path__)))
    files = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    assert sorted([*OPTIMIZERS, *FROM_FUNCTION]) == files
    for table in (OPTIMIZERS, FROM_FUNCTION):
        assert list(table) == sorted(table)
    for rule, module in RULES.items():
        assert module.__name__.rpartition(".")[2] == rule  # type: ignore[attr-defined]


@ALL
def test_docstring_has_the_seven_headings_in_order(rule: str) -> None:
    """Rule, Shapes, Domain, Choices, Special cases, Judged, Sources: each once, none empty."""
    doc = RULES[rule].__doc__ or ""
    lines = doc.splitlines()
    assert [line for line in lines if line in HEADINGS] == HEADINGS
    for heading in HEADINGS:
        following = lines[lines.index(heading) + 1]
        assert following.startswith("    ") and following.strip(), heading


@ALL
def test_dialects_are_the_literal_fields_of_hyper(rule: str) -> None:
    """DIALECTS names each Literal field with exactly its values; each default is one of them."""
    module = RULES[rule]
    hints = get_type_hints(module.Hyper)
    literals = {f: set(get_args(hint)) for f, hint in hints.items() if get_origin(hint) is Literal}
    assert {field: set(values) for field, values in module.DIALECTS.items()} == literals
    assert list(module.DIALECTS) == sorted(module.DIALECTS)
    for field, values in module.DIALECTS.items():
        assert getattr(module.Hyper(), field) in values
        assert all(meaning and not meaning.endswith(".") for meaning in values.values())


@ALL
def test_hyper_and_state_are_frozen_and_the_counter_comes_first(rule: str) -> None:
    """Nothing can be added to a Hyper or a State, and nothing in it rebound."""
    module = RULES[rule]
    state = module.init(module.Hyper(), np.zeros((2, 3)))
    assert dataclasses.fields(state)[0].name == "t" and state.t == 0
    for instance in (module.Hyper(), state):
        for name in (dataclasses.fields(instance)[0].name, "added"):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(instance, name, 1)


@ALL
@pytest.mark.parametrize("wrong", ["0.1", None, True, [0.1]])
def test_a_hyperparameter_of_a_wrong_type_is_refused_with_its_value(rule: str, wrong: Any) -> None:
    """TypeError naming the field, the value and its type."""
    for field in _numbers(rule):
        pattern = rf"{field}.*{re.escape(repr(wrong))}.*{type(wrong).__name__}"
        with pytest.raises(TypeError, match=pattern):
            RULES[rule].Hyper(**{field: wrong})


@ALL
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, -1e300])
def test_a_hyperparameter_out_of_range_is_refused_with_its_value(rule: str, wrong: float) -> None:
    """ValueError naming the field and the value; no hyperparameter may be that negative."""
    for field in _numbers(rule):
        if field in SIGNED and math.isfinite(wrong):
            continue
        with pytest.raises(ValueError, match=rf"{field}.*{re.escape(repr(wrong))}"):
            RULES[rule].Hyper(**{field: wrong})


@ALL
def test_decay_rates_of_moving_averages_stay_below_one(rule: str) -> None:
    """beta = 1 forgets nothing and learns nothing; the limit is part of the message."""
    for field in _numbers(rule):
        if field in ("beta1", "beta2", "ema", "momentum", "rho"):
            with pytest.raises(ValueError, match=rf"{field} must lie in \[0, 1\), got 1\.0"):
                RULES[rule].Hyper(**{field: 1.0})


@ALL
def test_an_unknown_dialect_is_refused_with_its_value(rule: str) -> None:
    """ValueError naming the field, the value and what is allowed."""
    for field, values in RULES[rule].DIALECTS.items():
        with pytest.raises(ValueError, match=rf"{field}.*{sorted(values)[0]}.*'sideways'"):
            RULES[rule].Hyper(**{field: "sideways"})


@TAKES_GRADIENT
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (2, 0, 3)])
def test_steps_write_no_input_and_keep_shapes(rule: str, shape: tuple[int, ...]) -> None:
    """Three steps of every dialect on read-only arrays: float64 out, shapes kept, t counted."""
    module = OPTIMIZERS[rule]
    rng = np.random.default_rng(1)
    for dialect in _dialects(rule):
        h = module.Hyper(**dialect)
        p = rng.standard_normal(shape)
        s = module.init(h, p)
        for t in range(1, 4):
            g = rng.standard_normal(shape)
            named = module.FACTS.inputs.items()
            others = {name: rng.standard_normal(of(shape)) for name, of in named}
            state = dataclasses.astuple(s)[1:]
            inputs = [np.asarray(x) for x in (p, g, *others.values(), *state)]
            for x in inputs:
                x.flags.writeable = False
            s, p = module.step(h, s, np.asarray(p), g, **others)
            assert s.t == t
            assert np.shape(p) == shape and np.asarray(p).dtype == np.float64
            for field in dataclasses.fields(s)[1:]:
                dtype = np.asarray(getattr(s, field.name)).dtype
                assert dtype == (np.uint8 if "code" in field.name else np.float64), field.name


@pytest.mark.parametrize(
    "rule", [rule for rule in OPTIMIZERS if "maximize" in get_type_hints(OPTIMIZERS[rule].Hyper)]
)
def test_maximizing_is_minimizing_the_negated_gradient(rule: str) -> None:
    """Bit for bit, in every dialect and with decay."""
    module = OPTIMIZERS[rule]
    fields = {field.name for field in dataclasses.fields(module.Hyper)}
    decay = {"weight_decay": 0.25} if "weight_decay" in fields else {}
    rng = np.random.default_rng(2)
    p = rng.standard_normal(7)
    for dialect in _dialects(rule):
        up, down = (module.Hyper(lr=0.1, maximize=m, **decay, **dialect) for m in (True, False))
        a, b = (module.init(up, p), p), (module.init(down, p), p)
        for _ in range(3):
            g = rng.standard_normal(7)
            named = module.FACTS.inputs.items()
            others = {name: rng.standard_normal(of((7,))) for name, of in named}
            turned = {name: -x if name in OPPOSED else x for name, x in others.items()}
            a, b = module.step(up, *a, g, **others), module.step(down, *b, -g, **turned)
            np.testing.assert_array_equal(a[1], b[1])


@pytest.mark.parametrize("rule", ["adam", "adamw", "amsgrad"])
def test_first_step_of_adam_moves_by_lr_against_the_sign(rule: str) -> None:
    """With eps = 0 and exact betas |p_1 - p_0| is lr whatever the size of the gradient."""
    module = OPTIMIZERS[rule]
    debias = {"bias_correction": "both"} if rule == "amsgrad" else {}
    h = module.Hyper(lr=0.5, beta1=0.5, beta2=0.75, eps=0.0, weight_decay=0.0, **debias)
    g = np.array([2.0**-40, -3.0, 1e20, -(2.0**60)])
    _, p = module.step(h, module.init(h, g), np.zeros(4), g)
    np.testing.assert_array_equal(p, -0.5 * np.sign(g))


def test_first_step_of_sgd_copies_or_dampens_the_gradient() -> None:
    """PyTorch copies the first gradient whatever the dampening; the other form halves it here."""
    sgd = OPTIMIZERS["sgd"]
    g = np.array([4.0, -2.0])
    for first_step, expected in (("copy", g), ("damped", g / 2)):
        h = sgd.Hyper(lr=0.5, momentum=0.5, dampening=0.5, first_step=first_step)
        s, p = sgd.step(h, sgd.init(h, g), np.zeros(2), g)
        np.testing.assert_array_equal(s.b, expected)
        np.testing.assert_array_equal(p, -0.5 * expected)


def test_sgd_without_momentum_keeps_its_buffer_zero_and_ignores_dampening() -> None:
    """As PyTorch, which has no buffer then."""
    sgd = OPTIMIZERS["sgd"]
    h = sgd.Hyper(lr=0.5, dampening=0.5, first_step="damped")
    s, p = sgd.step(h, sgd.init(h, np.zeros(2)), np.zeros(2), np.array([4.0, -2.0]))
    np.testing.assert_array_equal(s.b, [0.0, 0.0])
    np.testing.assert_array_equal(p, [-2.0, 1.0])


def test_amsgrad_corrects_before_or_after_the_maximum() -> None:
    """After a large and a small gradient: raw divides by step 2's factor, debiased by step 1's."""
    amsgrad = OPTIMIZERS["amsgrad"]
    expected = {"raw": 4.0 / (1 - 0.75**2) * 0.25, "debiased": 4.0}
    for maximum, v_hat in expected.items():
        h = amsgrad.Hyper(
            lr=1.0, beta1=0.0, beta2=0.75, eps=0.0, bias_correction="both", maximum=maximum
        )
        s, _ = amsgrad.step(h, amsgrad.init(h, np.zeros(1)), np.zeros(1), np.array([2.0]))
        _, p = amsgrad.step(h, s, np.zeros(1), np.array([-0.25]))
        np.testing.assert_array_equal(p, [0.25 / math.sqrt(v_hat)])


@pytest.mark.parametrize("decay", ["coupled", "decoupled"])
def test_nesterov_forms_are_one_sequence(decay: str) -> None:
    """In rational arithmetic, torch's and keras's p equal p + momentum u of the lookahead form.

    The gradient is that of a quadratic at the lookahead point, so that one wrong point is enough.
    """
    forms = {}
    for form in ("lookahead", "torch", "keras"):
        h = nesterov.Hyper(decay=decay, form=form)  # type: ignore[arg-type]
        # Rational hyperparameters are none that Hyper accepts: they are written past validation.
        for field, value in (("lr", (1, 7)), ("momentum", (9, 10)), ("weight_decay", (1, 3))):
            object.__setattr__(h, field, Fraction(*value))
        p = np.array([Fraction(1), Fraction(-2, 3)], dtype=object)
        s = nesterov.State(t=0, u=0 * p)
        forms[form] = [p]
        for _ in range(6):
            q = nesterov.lookahead(h, s, p)
            g = np.array([3 * q[0] + q[1], q[0] + 2 * q[1] - 1], dtype=object)
            s, p = nesterov.step(h, s, p, g)
            forms[form].append(nesterov.lookahead(h, s, p))
    assert all(np.all(a == b) for a, b in zip(forms["lookahead"], forms["torch"], strict=True))
    assert all(np.all(a == b) for a, b in zip(forms["torch"], forms["keras"], strict=True))
