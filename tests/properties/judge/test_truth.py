"""When the reference's own error is evaluated: where a verdict may hang on it, or at some steps."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.profiles import ORACLE, PROFILES
from truestep.properties.judge import truth
from truestep.properties.judge.contracts import Judgement, not_judged

FLOAT32 = PROFILES["ieee_float32"]


def _found(utilisation: float | None) -> Judgement:
    return replace(not_judged(1), utilisation=utilisation)


@pytest.mark.parametrize(
    ("utilisation", "settled"),
    [
        (None, True),
        (0.0, True),
        (2.0, True),
        (2.0 * (1 + 2.0**-52), False),
        (4.0, False),
        (4.0 * (1 + 2.0**-52), True),
        (np.inf, True),
    ],
)
def test_a_verdict_may_change_between_the_slack_and_its_double(
    utilisation: float | None, settled: bool
) -> None:
    """The reference's error is the kernel's at most, so that a bound with it is twice at most."""
    assert truth.settled(_found(utilisation)) is settled


def _decided(*, measured: bool, without: Sequence[float]) -> list[tuple[str, float | None]]:
    """Of tensors a, b, ...: "exact" or "true" by the oracle that was looked at last."""

    def judgements(oracle: str) -> Iterator[tuple[str, Judgement]]:
        for x in without:
            yield oracle, _found(x if oracle == "exact" else x / 2)

    found = truth.decided(judgements, "exact", lambda: "true", measured=measured)
    return [(oracle, judgement.utilisation) for oracle, judgement in found]


def test_one_undecided_tensor_asks_for_the_true_oracle() -> None:
    """Then all are judged by it; where none is undecided, only if it is asked for in any case."""
    assert _decided(measured=False, without=[1.0, 9.0]) == [("exact", 1.0), ("exact", 9.0)]
    assert _decided(measured=False, without=[1.0, 3.0]) == [("true", 0.5), ("true", 1.5)]
    assert _decided(measured=True, without=[1.0, 9.0]) == [("true", 0.5), ("true", 4.5)]


def test_it_is_measured_at_one_step_of_sixteen_and_wherever_a_kernel_is_as_precise() -> None:
    """The same steps in every run, by the numbers of a tensor however it lies in memory."""
    tensors = [np.arange(6.0).reshape(2, 3) + i for i in range(800)]
    chosen = [truth.measured(FLOAT32, x) for x in tensors]
    assert chosen == [zlib.crc32(x.tobytes()) % 16 == 0 for x in tensors]
    assert chosen == [truth.measured(FLOAT32, np.asfortranarray(x)) for x in tensors]
    assert all(truth.measured(ORACLE, x) for x in tensors)


def test_an_oracle_without_error_has_the_values_that_are_due() -> None:
    """And no error at all."""
    x = Bounded(np.array([1.0, 2.0]), np.array([0.5, 0.25]), FLOAT32, FLOAT32.format)
    found = truth.faultless(x)
    np.testing.assert_array_equal(found.v, x.v)
    np.testing.assert_array_equal(found.e, [0.0, 0.0])
