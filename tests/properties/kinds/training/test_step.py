"""What a piece of training gives: in which form, and each output by itself."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from truestep.fast.protocol import TrainingCapability
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.formats import FORMATS
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.judge.calls import Malformed
from truestep.properties.kinds.training import step
from truestep.properties.museum.plant import Kernel
from truestep.reference.training import TRAINING

FLOAT32, SINGLE = PROFILES["ieee_float32"], FORMATS["float32"]
SCALAR = Bounded.exact(np.array(1.5), FLOAT32)
VECTOR = Bounded.exact(np.array([1.5, 2.5]), FLOAT32)


@pytest.mark.parametrize("got", [1.5, np.float32(1.5), np.float64(1.5), np.array(1.5)])
def test_a_number_may_be_of_any_float(got: Any) -> None:
    """Where it stands alone; in a list it is a tensor of no axes."""
    found = step._array("norm", got, SCALAR, SINGLE, member=False)
    assert type(found) is np.ndarray and found.shape == () and found == 1.5
    if not isinstance(got, np.float32):
        with pytest.raises(Malformed, match=r"^norm "):
            step._array("norm", got, SCALAR, SINGLE, member=True)


@pytest.mark.parametrize(
    ("got", "due", "told"),
    [
        (1.5, VECTOR, "norm must be an ndarray, got float"),
        (1, SCALAR, "norm must be an ndarray, got int"),
        (np.array([1.5], np.float32), SCALAR, "norm has shape (1,), expected ()"),
        (np.array(1.5, np.float32), VECTOR, "norm has shape (), expected (2,)"),
        (np.array([1.5, 2.5]), VECTOR, "norm has dtype float64, expected float32"),
    ],
)
def test_a_tensor_is_of_its_shape_and_format(got: Any, due: Bounded, told: str) -> None:
    """Nothing is broadcast or converted."""
    with pytest.raises(Malformed, match=f"^{re.escape(told)}$"):
        step._array("norm", got, due, SINGLE, member=False)


def test_flags_and_counts() -> None:
    """A flag is no count, and a count none."""
    for got, due in ((True, True), (np.bool_(False), True), (3, 2), (np.int64(3), 2)):
        found = step._whole("t", got, due)
        assert found.shape == () and found == float(got)
    for got, due, told in (
        (1, True, "t must be a bool, got 1"),
        (True, 2, "t must be an integer, got True"),
        (2.0, 2, "t must be an integer, got 2.0"),
        (np.bool_(True), 2, "t must be an integer, got"),
    ):
        with pytest.raises(Malformed, match=f"^{re.escape(told)}"):
            step._whole("t", got, due)


def test_every_output_is_judged_in_its_place() -> None:
    """Of the call that it belongs to, by number; of a list each tensor as a slot."""
    piece = TRAINING["clip_by_global_norm"]
    capability = TrainingCapability(rule="clip_by_global_norm")
    rng = np.random.default_rng(0)
    gradients = [rng.standard_normal(n).astype(np.float32) for n in (3, 5)]
    inputs: dict[str, Any] = {"gradients": gradients}
    hyper = piece.Hyper()
    kernel = Kernel("clip_by_global_norm")
    got = step.call(kernel, capability, hyper, inputs)  # type: ignore[arg-type]
    found = step.judged(capability, hyper, inputs, got, 4)
    assert all(one.judgement.passed for one in found)
    assert {(one.step, one.group) for one in found} == {(4, 0)}
    places = {(one.tensor, one.slot) for one in found}
    assert {("clipped", 0), ("clipped", 1)} <= places
    for name, slot in places:
        wrong = dict(got)
        value: Any = wrong[name]
        if isinstance(value, list):
            wrong[name] = [x * np.float32(1 + 1e-5 * (i == slot)) for i, x in enumerate(value)]
        else:
            wrong[name] = value * np.float32(1 + 1e-5)
        again = step.judged(capability, hyper, inputs, wrong)
        assert [(o.tensor, o.slot) for o in again if not o.judgement.passed] == [(name, slot)]
        left = {k: x for k, x in got.items() if k != name}
        if name in piece.OPTIONAL:
            rest = step.judged(capability, hyper, inputs, left)
            assert {(one.tensor, one.slot) for one in rest} == places - {(name, slot)}
        else:
            with pytest.raises(Malformed, match=f"output '{name}' is missing"):
                step.judged(capability, hyper, inputs, left)
    for parts, told in (([got["clipped"][0]], "got 1 tensors"), (3.0, "got float")):
        with pytest.raises(Malformed, match=f"clipped must be a list of 2 tensors, {told}"):
            step.judged(capability, hyper, inputs, {**got, "clipped": parts})
