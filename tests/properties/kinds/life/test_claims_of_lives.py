"""What laws of objects with a life compare, what they are tried on, and how near is near."""

from __future__ import annotations

from typing import Any

import numpy as np

from truestep.fast.protocol import LifeCapability
from truestep.properties.kinds.life import claims, laws
from truestep.properties.kinds.life.cases import Event, LifeCase
from truestep.properties.kinds.life.step import _agreeing

SEEN: dict[str, Any] = {
    "params": [np.zeros(1), np.ones(2)],
    "state": [{"m": np.full(1, 2.0)}, {"m": np.full(2, 3.0), "t": 4}],
    "groups": [{"lr": 0.5, "initial_lr": 1.0}, {"lr": 0.25}],
}


def test_views_show_all_that_they_name() -> None:
    """Parameters, states and numbers of groups; of some places those alone; without states."""
    state = {"m of parameter 0", "m of parameter 1", "t of parameter 1"}
    params = {"p of parameter 0", "p of parameter 1"}
    numbers = {"group 0: lr": 0.5, "group 0: initial_lr": 1.0, "group 1: lr": 0.25}
    whole = claims.whole(SEEN)
    assert {*whole} == state | params | {*numbers}
    assert {name: whole[name] for name in numbers} == numbers
    assert whole["p of parameter 1"] is SEEN["params"][1]
    assert whole["m of parameter 1"] is SEEN["state"][1]["m"]
    assert {*claims.tensors()(SEEN)} == state | params
    assert {*claims.tensors(state=False)(SEEN)} == params
    second = claims.tensors([1])(SEEN)
    assert {*second} == {"p of parameter 0", "m of parameter 0", "t of parameter 0"}
    assert second["p of parameter 0"] is SEEN["params"][1]
    assert claims.rates(SEEN) == {"lr of group 0": 0.5, "lr of group 1": 0.25}


def test_what_is_on_trial_is_the_life_with_a_copy() -> None:
    """And the one that is due has none, for copies as for objects that go on."""
    capability = LifeCapability("optimizer", numbers={"lr": 0.1})
    case = LifeCase(events=(Event("step"), Event("step")), cuts=(1,))
    for found, done in (
        (claims.forked(capability, case, claims.whole, stay="copy"), "fork"),
        (claims.resumed(capability, case, claims.whole, way="saved"), "renew"),
    ):
        [claim] = found
        assert isinstance(claim, claims.Alike)
        assert done in [operation["do"] for operation in claim.got]
        assert done not in [operation["do"] for operation in claim.due]


def test_near_is_sixty_four_roundings_of_the_largest_number() -> None:
    """Of that format; without near every bit counts."""
    due = np.asarray([1.0, 0.0, -4.0], np.float32)
    got = due + np.asarray([0.0, 4 * 64 * 2.0**-24, 0.0], np.float32)
    view = claims.tensors(state=False)
    ends = [view({"params": [x]}) for x in (got, due)]
    for near, utilisation in ((True, 1.0), (False, np.inf)):
        [judged] = _agreeing(claims.Alike([], [], view, near=near), *ends)
        assert judged.judgement.utilisation == utilisation
        assert judged.judgement.index == (1,)


def test_laws_are_tried_on_the_events_that_they_speak_of() -> None:
    """Those of schedulers on steps; of closures and complex numbers too; the others on all."""
    plain = LifeCapability(rule="optimizer")
    assert laws.events("closure_loss_is_returned", plain) == ("step",)
    assert laws.events("untouched_when_gradient_is_none", plain) == ("step", "set")
    every = ("step", "none", "zero", "set")
    assert laws.events("resumes_bitwise_from_pickle", plain) == every
    scaled = LifeCapability(rule="optimizer", offers=("skips",))
    assert laws.events("resumes_bitwise_from_pickle", scaled) == (*every, "infinite")
    assert {laws.events(law, plain) for law in laws.BY_RULE["scheduler"]} == {("step",)}
