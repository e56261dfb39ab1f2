"""Laws' claims and the entries of their tables, apart from any rule."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from truestep.fast.protocol import OptimizerCapability
from truestep.properties.laws.claims import SCALE, Claim, about, by_name, judged, table
from truestep.properties.laws.entries import Fails, Holds, Void, holding, holds, obeys, tried_at


def _claim(difference: float, **given: object) -> Claim:
    left = np.zeros(4)
    left[2] = difference
    return Claim("p", left, np.zeros(4), **given)  # type: ignore[arg-type]


def test_every_claim_is_judged_by_the_agreement_of_its_sides() -> None:
    """In their order, each at the step of its worst element where elements are steps."""
    exact, within = _claim(1e-300), _claim(0.5, bound=np.full(4, 0.25), steps=(0, 9, 70, 800))
    same = _claim(0.0, steps=(5, 6, 7, 8))
    none = Claim("m", np.zeros(0), np.zeros(0), steps=())
    found = list(judged([exact, within, same, none]))
    assert [one.tensor for one in found] == ["p", "p", "p", "m"]
    assert [one.judgement.utilisation for one in found] == [np.inf, 2.0, 0.0, None]
    assert [one.step for one in found] == [0, 70, 5, 0]
    assert {(one.group, one.slot) for one in found} == {(0, 0)}
    assert (found[1].judgement.got, found[1].judgement.oracle) == (0.5, 0.0)


def test_scaling_is_exact() -> None:
    """By a power of two."""
    assert np.frexp(SCALE)[0] == 0.5 and SCALE > 1


def test_claims_are_made_one_after_another() -> None:
    """What fails ends a search before the next claim is worked out; its warnings are not told."""

    def claims():
        yield _claim(float(np.float64(0) * np.inf == 0))
        raise AssertionError("not yet")

    with np.errstate(all="raise"):
        assert next(judged(claims())).judgement.passed


def test_a_module_s_laws_are_its_public_functions() -> None:
    """Its own, in alphabetical order; what a law says is its docstring."""
    module = ModuleType("stated")
    exec(
        "from operator import add\nfrom json import dumps\n"
        "def later():\n    ' Says so. '\ndef earlier(): pass\ndef _private(): pass\nnumber = 1",
        vars(module),
    )
    found = table(module)
    assert list(found) == ["earlier", "later"]
    assert (about(found["later"]), about(found["earlier"])) == ("Says so.", "")
    assert list(by_name(*reversed(found.values()))) == ["earlier", "later"]


def test_entries_are_written_as_words() -> None:
    """Dialects and laws by their names, and values at which a law holds."""
    assert holds() == Holds({}, {})
    assert holds({"lr": 0.0}, decay="before after") == Holds(
        {"decay": ("before", "after")}, {"lr": 0.0}
    )
    assert obeys("one two", "three") == dict.fromkeys(("one", "two", "three"), Holds())
    row = {"a": Holds({}, {"lr": 1.0}), "b": Void("why"), "c": Fails("why", 3)}
    tried = tried_at({"lr": 2.0, "eps": 0.0}, row)
    assert tried == {**row, "a": Holds({}, {"lr": 1.0, "eps": 0.0})}


@pytest.mark.parametrize(
    ("dialect", "due"),
    [
        ({}, ["always", "own"]), ({"decay": "after"}, ["always", "other"]),
        ({"decay": "after", "eps": "inside"}, ["always", "both", "other"]),
        ({"eps": "inside"}, ["always", "own"]),
    ],
)  # fmt: skip
def test_laws_hold_in_the_dialects_listed(dialect: dict[str, str], due: list[str]) -> None:
    """In all of a law's fields; where a capability says nothing, the rule's own form counts."""
    row = {
        "own": holds(decay="before"), "other": holds(decay="after never"), "always": Holds(),
        "both": holds(decay="after", eps="inside"), "not": Void("why"), "fails": Fails("why", 1),
    }  # fmt: skip
    own = SimpleNamespace(decay="before", eps="outside")
    found = list(holding(row, own, OptimizerCapability(rule="adam", dialect=dialect)))
    assert [law for law, _ in found] == due
    assert all(entry is row[law] for law, entry in found)
