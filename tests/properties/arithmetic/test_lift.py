"""The one evaluation of a rule: the same lines, names and stores in every arithmetic."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from truestep.fast.protocol import Slot
from truestep.properties.arithmetic import lift
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.arithmetic.sampled import Replicates, Sampled
from truestep.properties.arithmetic.world import World
from truestep.reference.optimizers import adamw, perceptron

ARITHMETIC = PROFILES["bfloat16_storage"]
X = np.array([0.5, -0.25, 2.0])
SLOT = Slot(X, -X, {"t": 4, "m": X / 2, "v": X * X})


def test_every_arithmetic_gives_the_same_names_and_counter() -> None:
    """p first, then the fields of the State; the counter is an integer in all."""
    world = World(ARITHMETIC, np.random.default_rng(0))
    replicates = Replicates(ARITHMETIC, 4, np.random.default_rng(0))
    lifts = (
        lift.plain(),
        lift.plain(np.float32),
        lift.bounded(ARITHMETIC),
        lift.sampled(replicates),
        lift.simulated(world),
    )
    fields = [f.name for f in dataclasses.fields(adamw.State)]
    values = []
    for arithmetic in lifts:
        out = lift.stepped(adamw, adamw.Hyper(), SLOT, arithmetic)
        assert list(out) == ["p", *fields]
        assert isinstance(out["t"], int)
        assert out["t"] == 5
        values.append(out["p"])
    floats, narrow, bounds, samples, simulated = values
    assert narrow.dtype == np.float32
    assert isinstance(bounds, Bounded)
    assert bounds.format.name == "bfloat16"
    assert np.array_equal(bounds.v, floats)
    assert isinstance(samples, Sampled)
    assert samples.format.name == "bfloat16"
    assert np.all(np.abs(simulated - floats) <= bounds.e)


def test_inputs_and_codes_are_lifted_as_what_they_are() -> None:
    """What a rule takes besides the gradient becomes an array; integers stay codes."""
    slot = Slot(X, X, {"t": 0}, {"response": np.array(-1.0)})
    out = lift.stepped(perceptron, perceptron.Hyper(), slot, lift.plain(np.float32))
    assert out["p"].dtype == np.float32
    codes = np.arange(3, dtype=np.uint8)
    assert lift.plain().tensor(codes) is codes


def test_a_state_that_lacks_a_field_is_named() -> None:
    """The error says what is missing and what is there."""
    with pytest.raises(ValueError, match="lacks 'm'; it has t"):
        lift.stepped(adamw, adamw.Hyper(), Slot(X, X, {"t": 0}), lift.plain())


def test_hyperparameters_are_what_the_host_holds() -> None:
    """Each in its own format, as a number of the arithmetic; choices and flags pass."""
    own = dataclasses.replace(ARITHMETIC, tensors={"lr": "float32"})
    given = adamw.Hyper(lr=0.3, beta1=0.7, maximize=True, decay="before")
    held = lift.bounded(own).hyper(given)
    assert type(held) is adamw.Hyper and held is not given
    assert isinstance(held.lr, Bounded) and isinstance(held.beta1, Bounded)
    assert (held.lr.v, held.lr.format.name) == (0.3, "float32") and held.lr.e > 0
    assert (held.beta1.v, held.beta1.format.name, held.beta1.e) == (0.7, "float64", 0.0)
    assert (held.maximize, held.decay) == (True, "before")
    replicates = Replicates(own, 4, np.random.default_rng(0))
    drawn = lift.sampled(replicates).hyper(given)
    assert isinstance(drawn.lr, Sampled) and drawn.lr.format.name == "float32"
    assert lift.plain().hyper(given) == given
    for arithmetic in (lift.plain(), lift.bounded(own)):
        one, two = (lift.stepped(adamw, h, SLOT, arithmetic)["p"] for h in (given, adamw.Hyper()))
        v = (one.v, two.v) if isinstance(one, Bounded) else (one, two)
        assert np.all(v[0] != v[1])
