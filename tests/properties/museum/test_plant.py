from __future__ import annotations

import numpy as np
import pytest

from truestep.properties.museum.plant import StaleEdit, bfloat16, changed, planted
from truestep.reference import powers_of_two
from truestep.reference.optimizers import adamw, sgd
from truestep.reference.quantizers import float8_e8m0fnu
from truestep.reference.schedules import cosine, linear_warmup_cosine


def test_a_changed_line_is_computed_in_the_copy_alone() -> None:
    """The module itself stays as it is."""
    copy = planted(cosine, [("(1 + np.cos(PI * t / h.total_steps)) / 2", "0.25")])
    h = cosine.Hyper(lr=4.0)
    assert copy.value(h, 1) == 1.0
    assert cosine.value(h, 0) == 4.0


def test_edits_follow_one_another() -> None:
    """A later edit may change what an earlier one has put there."""
    line = "(1 + np.cos(PI * t / h.total_steps)) / 2"
    copy = planted(cosine, [(line, "quarter"), ("weight = quarter", "weight = 0.25")])
    assert copy.value(cosine.Hyper(lr=4.0), 1) == 1.0


def test_text_in_two_functions_is_addressed_by_one() -> None:
    """The other function keeps its own."""
    line = "start, length = wave(h)"
    with pytest.raises(StaleEdit, match="occurs 2 times"):
        planted(linear_warmup_cosine, [(line, "start, length = 0, 1")])
    copy = planted(linear_warmup_cosine, [("value", line, "start, length = 0, h.total_steps")])
    h = linear_warmup_cosine.Hyper(min_lr=1e-4, warmup_steps=5, total_steps=10)
    assert copy.value(h, 5) < linear_warmup_cosine.value(h, 5)
    assert copy.certificate(h) == linear_warmup_cosine.certificate(h)


def test_another_module_is_changed_for_the_copy_alone() -> None:
    """It is imported with its change by the copy, and by nobody else."""
    copy = planted(float8_e8m0fnu, [(powers_of_two, "np.ldexp(1.0, k - BIAS)", "np.ones(k.shape)")])
    h = float8_e8m0fnu.Hyper()
    assert copy.decode(h, np.array([130])) == 1.0
    assert float8_e8m0fnu.decode(h, np.array([130])) == 8.0
    assert planted(float8_e8m0fnu).decode(h, np.array([130])) == 8.0
    with pytest.raises(StaleEdit, match=r"powers_of_two: 'gone' occurs 0 times"):
        planted(float8_e8m0fnu, [(powers_of_two, "gone", "")])


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (("no such line", "x"), "'no such line' occurs 0 times"),
        (("np.sqrt", "x"), "'np.sqrt' occurs"),
        (("step", "no such line", "x"), "'no such line' occurs 0 times"),
        (("no_such_function", "g = -g", "x"), "has no function 'no_such_function'"),
    ],
)
def test_a_stale_edit_is_refused(edit: tuple[str, str], told: str) -> None:
    """An edit that no longer fits the reference is an error that names module and text."""
    with pytest.raises(StaleEdit, match=f"truestep.reference.optimizers.adamw.*{told}"):
        planted(adamw, [edit])


def test_docstrings_are_not_searched() -> None:
    """What the documentation says in the code's words is no line of code."""
    assert adamw.__doc__ is not None
    heading = adamw.__doc__.splitlines()[0]
    with pytest.raises(StaleEdit, match="occurs 0 times"):
        planted(adamw, [(heading, "")])


def test_new_text_may_round_and_remember() -> None:
    """A copy has a memory of its own, and hyperparameters may pass their validation."""
    copy = planted(
        sgd, [("t = s.t + 1", 'h, t = changed(h, lr=memory.setdefault("lr", -1.0)), s.t + 1')]
    )
    _, p = copy.step(sgd.Hyper(lr=1.0), copy.State(0, np.zeros(1)), np.ones(1), np.ones(1))
    assert p == 2.0
    assert copy.memory == {"lr": -1.0}
    assert changed(sgd.Hyper(), momentum=2.0).momentum == 2.0


@pytest.mark.parametrize("x", [1.01, np.float32(1.01), np.full(3, 1.01, np.float32)])
def test_bfloat16_keeps_eight_bits(x: object) -> None:
    """Of numbers and arrays alike, which stay what they are."""
    assert np.all(bfloat16(x) == 1.0078125)
    assert type(bfloat16(x)) is type(x)
