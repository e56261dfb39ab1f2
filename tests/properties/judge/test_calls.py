"""The call of a backend: whose fault an exception is, and what has to come back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from truestep.fast.host.messages import Foreign
from truestep.fast.protocol import Capability, Group, ScheduleCapability, Slot
from truestep.properties.judge.calls import (
    BackendFault,
    BackendRaised,
    Malformed,
    backend_call,
    require_array,
    require_list,
    type_of,
)

CAPABILITY = ScheduleCapability(rule="constant")
FLOAT32 = np.dtype(np.float32)


def _raising(error: Exception) -> Callable[..., Any]:
    def method(capability: Capability, *given: object) -> object:
        raise error

    return method


def test_the_backend_is_given_what_is_asked_and_its_result_is_returned() -> None:
    """The capability first."""
    x = np.ones(2)
    assert backend_call(lambda *given: given, CAPABILITY, x, 3) == (CAPABILITY, x, 3)


def test_an_exception_of_the_backend_s_is_its_own() -> None:
    """With its type and message in the first line, and the lines that raised it."""
    with pytest.raises(BackendRaised, match=r"^the backend raised KeyError: 'lr'\n") as raised:
        backend_call(_raising(KeyError("lr")), CAPABILITY)
    assert "in method" in str(raised.value) and str(raised.value) == str(raised.value).rstrip()
    assert isinstance(raised.value.__cause__, KeyError)


@pytest.mark.parametrize("error", [BackendFault("told"), Malformed("told"), BackendRaised("told")])
def test_what_was_told_already_is_told_once(error: Exception) -> None:
    """A process of the backend's own has said what it is."""
    with pytest.raises(type(error), match=r"^told$"):
        backend_call(_raising(error), CAPABILITY)


def test_a_written_input_is_named_wherever_it_is() -> None:
    """In the bits too: a zero or a nan of the other sign is another number."""

    def writes(capability: Capability, groups: list[Group]) -> None:
        m = groups[0].slots[1].state["m"]
        np.negative(m, out=m)

    slots = [Slot(np.zeros(2), np.zeros(2), {"m": np.zeros(2)}, {}) for _ in range(2)]
    for x in (0.0, np.nan):
        slots[1].state["m"][:] = x
        with pytest.raises(
            BackendFault, match=r"^the backend wrote its input m \(group 0, slot 1\)$"
        ):
            backend_call(writes, CAPABILITY, [Group(None, slots)])  # type: ignore[arg-type]


def test_who_guards_its_inputs_is_not_looked_at() -> None:
    """They are copies, which the other process has looked at."""

    def writes(capability: Capability, x: Any) -> None:
        x[0] = 7.0

    writes.guarded = True  # type: ignore[attr-defined]
    backend_call(writes, CAPABILITY, np.zeros(1))


@pytest.mark.parametrize(
    ("got", "told"),
    [
        ([1.0, 2.0], "m must be an ndarray, got list at x"),
        (np.float32(1.0), "m must be an ndarray, got float32 at x"),
        (np.ma.zeros(2, np.float32), "m must be an ndarray, got MaskedArray at x"),
        (np.zeros((2, 1), np.float32), "m has shape (2, 1), expected (2,) at x"),
        (np.zeros(2), "m has dtype float64, expected float32 at x"),
        (Foreign("torch.Tensor"), "m must be an ndarray, got torch.Tensor at x"),
    ],
)
def test_an_array_of_its_shape_and_format_is_due(got: object, told: str) -> None:
    """Exactly: nothing is converted or broadcast."""
    with pytest.raises(Malformed, match=f"^{re.escape(told)}$"):
        require_array("m", got, (2,), FLOAT32, " at x")


def test_what_is_due_is_returned() -> None:
    """The array itself; a scalar of NumPy's stands for an array without axes."""
    x = np.zeros(2, np.float32)
    assert require_array("m", x, (2,), FLOAT32) is x
    scalar = require_array("m", np.float32(1.5), (), FLOAT32)
    assert (type(scalar), scalar.shape, scalar.dtype, scalar) == (np.ndarray, (), FLOAT32, 1.5)


@pytest.mark.parametrize(
    ("got", "told"),
    [
        ("ab", "slots must be a sequence, got str at x"),
        (b"ab", "slots must be a sequence, got bytes at x"),
        ({"a": 1, "b": 2}, "slots must be a sequence, got dict at x"),
        ([1], "got 1 slots back for 2 at x"),
        ((1, 2, 3), "got 3 slots back for 2 at x"),
    ],
)
def test_a_sequence_of_so_many_is_due(got: object, told: str) -> None:
    """A text is none, nor is what has no order."""
    with pytest.raises(Malformed, match=f"^{re.escape(told)}$"):
        require_list("slots", got, 2, " at x")
    require_list("slots", [1, 2], 2)
    require_list("slots", (1, 2), 2)


def test_a_type_is_called_what_its_own_process_calls_it() -> None:
    """Of an object that has not come over, by the name that has."""
    assert (type_of(Foreign("jax.Array")), type_of(1.0)) == ("jax.Array", "float")
