"""Other readings of a rule: which there are, what agrees, and what a message calls it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from truestep.fast.protocol import OptimizerCapability, Storage
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.judge.calls import BackendFault, BackendRaised
from truestep.properties.judge.contracts import Judged, not_judged
from truestep.properties.judge.results import SLACK
from truestep.properties.kinds.optimizer.storage import rule_of
from truestep.properties.search.identification import (
    Reading,
    Unlike,
    all_within,
    departures,
    dialects_of,
    first_that_agrees,
    in_words,
    nearby_dialects,
)
from truestep.properties.search.likeness import require_likeness
from truestep.reference.optimizers import adamw, sgd
from truestep.reference.quantizers import QUANTIZERS

FLOAT32 = PROFILES["ieee_float32"]


def test_a_reading_has_the_numbers_that_it_shares() -> None:
    """Of another rule its own defaults for the rest; what it changes, it changes."""
    given = adamw.Hyper(lr=0.3, weight_decay=0.5, maximize=True)
    found = Reading("sgd", sgd, {"decay": "decoupled"}).hyper(given)
    assert found == sgd.Hyper(lr=0.3, weight_decay=0.5, maximize=True, decay="decoupled")
    longer = Reading("x", adamw, lengths={"lr": 1, "beta1": -0.5})  # type: ignore[dict-item]
    assert longer.hyper(adamw.Hyper(lr=2.0, beta1=0.75)) == adamw.Hyper(lr=3.0, beta1=0.25)


def test_a_reading_of_how_state_is_kept() -> None:
    """Of the tensors that it names, in what it names."""
    how = {"signed": True, "block_size": 256}
    storage = {name: Storage("dynamic_8bit", how) for name in ("m", "v")}
    rule = rule_of(OptimizerCapability(rule="adam", storage=storage))
    kept = QUANTIZERS["dynamic_8bit"].Hyper(**how)
    given = rule.Hyper(storage={"m": kept, "v": kept})
    found = Reading("x", rule, storage={"m": {"zero_block": "first_code"}}).hyper(given)
    assert found.storage["v"] == given.storage["v"]  # type: ignore[attr-defined]
    assert found.storage["m"] == replace(given.storage["m"], zero_block="first_code")  # type: ignore[attr-defined]
    assert found.storage["m"] != given.storage["m"]  # type: ignore[attr-defined]


def test_dialects_in_words() -> None:
    """In the order of their fields."""
    choices = {"momentum_form": "lr_inside", "decay": "decoupled"}
    words = in_words(sgd, choices)
    assert words == (
        "weight decay, multiplied by lr, before the step; "
        "lr multiplies the gradient as it enters the momentum buffer"
    )
    assert in_words(sgd, {}) == "the reference's own form"
    [one] = dialects_of("sgd", sgd, [choices])
    assert (one.words, one.rule, one.changes) == (f"sgd with {words}", sgd, choices)


def test_departures_differ_in_so_many_fields() -> None:
    """From what is declared, not from the reference's own form."""
    one = list(departures(sgd, {"decay": "decoupled"}, 1))
    assert one == [{"decay": "coupled"}, {"first_step": "damped"}, {"momentum_form": "lr_inside"}]
    two = list(departures(sgd, {}, 2))
    assert two == [
        {"decay": "decoupled", "first_step": "damped"},
        {"decay": "decoupled", "momentum_form": "lr_inside"},
        {"first_step": "damped", "momentum_form": "lr_inside"},
    ]
    near = list(nearby_dialects(sgd, {"decay": "decoupled", "other": "x", "first_step": "y"}, 1))
    own = {"decay": "decoupled", "first_step": "copy", "momentum_form": "lr_outside"}
    assert near == [
        own, {**own, "decay": "coupled"}, {**own, "first_step": "damped"},
        {**own, "momentum_form": "lr_inside"},
    ]  # fmt: skip
    assert list(nearby_dialects(sgd, {}, 0)) == [{**own, "decay": "coupled"}]


def _named(*agreeing: str) -> str:
    """What is told where these agree of six readings one choice away and two beyond."""

    def readings(distance: int) -> list[Reading]:
        names = {1: "aabcdef", 2: "xy"}.get(distance, "z")
        return [Reading(name, sgd) for name in names]

    return first_that_agrees(readings, lambda reading: reading.words in agreeing)


def test_the_nearest_that_agree_are_named() -> None:
    """Each once, four at most; two choices away only where none is one away."""
    assert _named("c", "x") == "c"
    assert _named("x", "y") == "x or y"
    assert _named() == _named("z") == ""
    assert _named("a") == "a"
    assert _named(*"abcd") == "a or b or c or d"
    assert _named(*"abcdef") == "a or b or c or d or 2 other forms"


def _steps(*utilisations: float | None) -> Iterator[tuple[object, list[Judged]]]:
    for u in utilisations:
        yield None, [Judged(0, 0, 0, "p", replace(not_judged(1), utilisation=u))]


@pytest.mark.parametrize(
    ("steps", "within"),
    [
        ([1.0, SLACK], True),
        ([None, 1.0], True),
        ([None], False),
        ([], False),
        ([1.0, 2.5], False),
        ([2.5, 1.0], False),
        ([np.inf], False),
    ],
)
def test_what_agrees_is_within_the_slack(steps: Sequence[float | None], within: bool) -> None:
    """Everywhere, and somewhere at all."""
    assert all_within(lambda _: _steps(*steps), [0]) is within


@pytest.mark.parametrize(
    "error", [BackendFault("x"), BackendRaised("x"), Unlike("p"), ValueError(), ZeroDivisionError()]
)
def test_what_raises_agrees_with_nothing(error: Exception) -> None:
    """Whatever was within before; an error of our own is not hidden."""

    def judged(case: int) -> Iterator[Any]:
        yield from _steps(0.5)
        if case:
            raise error

    assert all_within(judged, [0]) and not all_within(judged, [0, 1])

    def broken(case: int) -> Iterator[Any]:
        yield from _steps(0.5)
        raise KeyError(case)

    with pytest.raises(KeyError):
        all_within(broken, [0])


def _unlike(got: Sequence[float], due: Sequence[float], was: Any = 0.0, **changes: Any) -> bool:
    arithmetic = replace(FLOAT32, **changes)
    try:
        require_likeness("p", np.array(got), np.array(due), arithmetic, np.asarray(was))
    except Unlike:
        return True
    return False


def test_half_a_tensor_that_is_off_is_unlike() -> None:
    """By more than 2^12 roundings of the coarsest format, and by a quarter at most."""
    part = 2.0**-12
    assert not _unlike([1.0, 1.0], [1.0 - part, 1.0 - part])
    assert _unlike([1.0], [1.0 - 2 * part]) and _unlike([1.0 - 2 * part], [1.0])
    assert not _unlike([1.0, 1.0], [1.0, 2.0]) and _unlike([1.0] * 3, [1.0, 2.0, 2.0])
    for coarse in ({"compute": "bfloat16"}, {"hyper": "bfloat16"}, {"counter": "bfloat16"},
                   {"storage": {"m": "bfloat16"}}):  # fmt: skip
        assert not _unlike([0.75], [1.0], **coarse) and _unlike([0.74], [1.0], **coarse)
    assert not _unlike([0.0], [1e-9], was=[0.1]) and _unlike([0.0], [1e-9])
    assert not _unlike([np.nan], [1.0]) and not _unlike([], [])
