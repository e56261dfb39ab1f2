"""The record and the message of a check: a verdict follows from what was counted, and no more."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from truestep.fast.protocol import OptimizerCapability
from truestep.properties.judge.calls import BackendFault, BackendRaised
from truestep.properties.judge.contracts import Judged, not_judged
from truestep.properties.judge.records import (
    Place,
    crashed,
    law_line,
    named,
    result_of,
    snippet,
    within,
    worst_lines,
)
from truestep.properties.judge.results import (
    HISTOGRAM_EDGES,
    Check,
    CheckResult,
    check_id,
    departures,
    joined,
)
from truestep.properties.judge.tally import ContractBroken, Tally
from truestep.properties.kinds.kind import Seeded
from truestep.reference import own

CAPABILITY = OptimizerCapability(rule="sgd", variant="fused", dialect={"nesterov": "torch"})
CHECK = Check("optimizer/sgd/float32/fused/lockstep", "optimizer", "sgd", "lockstep", CAPABILITY)
PLACE = Place("p[2]", {"index": [2]}, ["step 1"])
CODE = "case(BACKEND, 'optimizer/sgd/float32/fused/lockstep', '{\"seed\": 3}')"


def _judged(utilisation: float | None, judged: int = 1, tensor: str = "p") -> Judged:
    histogram = np.zeros(len(HISTOGRAM_EDGES) + 1, dtype=np.int64)
    histogram[4] = judged
    found = replace(
        not_judged(4), judged=judged, utilisation=utilisation, histogram=histogram,
        got=1.5, oracle=2.0, bound=0.125, oracle_fraction=0.25,
    )  # fmt: skip
    return Judged(1, 0, 0, tensor, found)


def _result(tally: Tally, contract: str = "bounded") -> CheckResult:
    return result_of(
        CHECK, tally, 2.5, contract=contract, place=lambda _: PLACE, remarks=["remark"],
        identified="sgd with nesterov paper",
    )  # fmt: skip


def _counted(*found: Judged) -> Tally:
    tally = Tally(examples=7)
    tally.add(Seeded(3), found, None)
    return tally


def test_what_was_judged_and_did_not_fail_passes() -> None:
    """With the numbers that were counted, and the worst case; without a message."""
    found = _result(_counted(_judged(0.2), _judged(0.1, 3)))
    assert (found.id, found.kind, found.rule, found.check) == (
        "optimizer/sgd/float32/fused/lockstep", "optimizer", "sgd", "lockstep"
    )  # fmt: skip
    assert (found.verdict, found.contract, found.message) == ("pass", "bounded", "")
    assert (found.format, found.variant, found.dialect) == ("float32", "fused", CAPABILITY.dialect)
    assert (found.examples, found.judged_fraction, found.utilisation) == (7, 0.5, 0.2)
    assert (found.oracle_fraction, found.seconds) == (0.25, 2.5)
    assert (found.identified, found.extra) == ("sgd with nesterov paper", {})
    assert found.histogram == (0, 0, 0, 0, 4) + (0,) * (len(HISTOGRAM_EDGES) - 4)
    assert all(type(n) is int for n in found.histogram)
    assert found.worst == {
        "case": {"seed": 3}, "tensor": "p", "index": [2], "got": "0x1.8000000000000p+0",
        "oracle": "0x1.0000000000000p+1", "got_decimal": "1.5", "oracle_decimal": "2.0",
        "error": 0.5, "bound": 0.125, "utilisation": 0.2,
    }  # fmt: skip


def test_of_what_nothing_was_judged_nothing_is_said() -> None:
    """Of no case, of none of all elements, or under a law of no element of one of its tensors."""
    none = Tally()
    assert (_result(none).verdict, _result(none).judged_fraction) == ("not_judged", 0.0)
    assert _result(none).worst is None
    silent = _counted(_judged(None, 0))
    assert (_result(silent).verdict, _result(silent).worst) == ("not_judged", None)
    partly = _counted(_judged(0.2), _judged(None, 0, "m"))
    assert [_result(partly, c).verdict for c in ("bounded", "law")] == ["pass", "not_judged"]
    assert _result(_counted(_judged(0.2), _judged(0.2, 1, "m")), "law").verdict == "pass"


def test_a_number_beyond_the_slack_fails_and_is_told() -> None:
    """The message ends with the remarks and the lines that run the case again."""
    tally = Tally()
    with pytest.raises(ContractBroken):
        tally.add(Seeded(3), [_judged(4.0)], None)
    found = _result(tally)
    assert (found.verdict, found.utilisation) == ("fail", 4.0)
    assert found.message.splitlines() == [
        "sgd (float32, fused): p[2] is 1.5, due is 2.0",
        "  got 0x1.8000000000000p+0  oracle 0x1.0000000000000p+1",
        "  error 0.5  bound 0.125  utilisation 4 (passes up to 2)",
        "  step 1",
        "  remark",
        "  reproduce:",
        "    from truestep.properties.run.replay import case",
        f"    {CODE}",
    ]
    assert named(found, "lib:B").message.splitlines()[-1] == "    " + CODE.replace(
        "BACKEND", "'lib:B'"
    )


@pytest.mark.parametrize(
    ("fault", "verdict"), [(BackendFault("told"), "fail"), (BackendRaised("told"), "crashed")]
)
def test_a_fault_that_is_none_of_numbers_has_a_case_and_no_place(
    fault: BackendFault | BackendRaised, verdict: str
) -> None:
    """Not that of the worst number before it."""
    tally = _counted(_judged(0.2))
    tally.blame(Seeded(3), fault)
    found = _result(tally)
    assert (found.verdict, found.worst) == (verdict, {"case": {"seed": 3}})
    lines = found.message.splitlines()
    assert lines[:2] == ["sgd (float32, fused): told", "  remark"] and lines[-1] == f"    {CODE}"


def test_a_backend_that_died_is_told_with_its_case_or_without() -> None:
    """Where it died before any, there is nothing to run again."""
    found = crashed(CHECK, Seeded(3), "it died")
    assert (found.verdict, found.worst) == ("crashed", {"case": {"seed": 3}})
    assert found.message.splitlines() == ["sgd (float32): it died", *snippet(CHECK.id, {"seed": 3})]
    before = crashed(CHECK, None, "it died")
    assert (before.verdict, before.message, before.worst) == (
        "crashed", "sgd (float32): it died", None
    )  # fmt: skip


def test_a_rule_of_one_s_own_is_loaded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the lines that run a case again."""
    monkeypatch.setitem(own.OWN, "mine", own.Own("mine", "optimizer", "m.py", Path("m.py"), ""))
    assert snippet("optimizer/mine/float32/lockstep", {})[-1].endswith(", '{}', rules=['m.py'])")
    assert snippet("optimizer/sgd/float32/lockstep", {})[-1].endswith(", '{}')")


@pytest.mark.parametrize(
    ("index", "shape", "there"),
    [
        ((), (), True),
        ((0,), (), False),
        ((1, 2), (2, 3), True),
        ((2, 2), (2, 3), False),
        ((1, 3), (2, 3), False),
        ((1,), (2, 3), False),
    ],
)
def test_an_element_is_within_a_shape(
    index: tuple[int, ...], shape: tuple[int, ...], there: bool
) -> None:
    """By every axis, of as many."""
    assert within(index, shape) is there


def test_numbers_of_a_worst_element() -> None:
    """As floats, whatever they are of; an error that is none is told as such."""
    j = replace(_judged(math.inf).judgement, got=math.nan, bound=0.0)
    assert worst_lines("sgd", "p", j) == [
        "sgd: p is nan, due is 2.0",
        "  got nan  oracle 0x1.0000000000000p+1",
        "  error nan  bound 0  utilisation inf (passes up to 2)",
    ]


def test_a_law_is_stated_by_its_docstring() -> None:
    """In one line of its own."""
    assert law_line("\n  p stays.\n") == "the law: p stays."
    assert law_line(None) == "the law: "


def test_a_record_is_json() -> None:
    """Numbers that JSON lacks are texts, at any depth; keys are texts, tuples lists."""
    found = replace(
        CHECK.result("fail"), utilisation=math.inf, extra={"a": {1: (math.nan, [-math.inf, 0.5])}}
    )
    told = found.to_json()
    assert (told["utilisation"], told["extra"]) == ("inf", {"a": {"1": ["nan", ["-inf", 0.5]]}})
    assert set(told) == set(CheckResult.__dataclass_fields__)


def test_an_id_leaves_empty_parts_out() -> None:
    """A capability without a variant has one part less."""
    assert joined("a", "", "b") == "a/b"
    assert check_id(CAPABILITY, "lockstep") == CHECK.id
    assert check_id(replace(CAPABILITY, variant=""), "x") == "optimizer/sgd/float32/x"


def test_departures_are_what_is_promised_by_nobody() -> None:
    """What the table marks, unless a documentation promises it; and what is declared as one.

    A theorem's record has none: those of its rule stand in the rule's.
    """
    lamb = OptimizerCapability(rule="lamb", dialect={"clip": "below_1", "decay": "before"})
    assert departures(lamb) == {"clip": "below_1"}
    assert departures(replace(lamb, documented=("clip",))) == {}
    assert departures(replace(lamb, departures=("decay",), documented=("clip", "decay"))) == {
        "decay": "before"
    }
    assert departures(replace(lamb, rule="unknown")) == {}
    check = Check("x", "optimizer", "lamb", "lockstep", lamb)
    assert check.result("pass").departures == {"clip": "below_1"}
    assert replace(check, kind="theorem").result("pass").departures == {}
