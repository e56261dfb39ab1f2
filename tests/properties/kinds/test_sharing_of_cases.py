"""Cases that were drawn for one implementation serve the next, and change none of its verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from truestep.fast.protocol import Group, Slot, Stepped
from truestep.properties.cases.restored import restored
from truestep.properties.judge.results import CheckResult
from truestep.properties.kinds import kind
from truestep.properties.kinds.optimizer.cases import OptimizerCase
from truestep.properties.kinds.optimizer.step import initial
from truestep.properties.museum.plant import Kernel, StepOne
from truestep.properties.run.plan import checks_of, run_check
from truestep.properties.search import shared
from truestep.reference.optimizers import OPTIMIZERS


@pytest.fixture(autouse=True)
def _nothing_drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(kind, "_identified", lambda *_: "")
    shared._KNOWN.clear()
    yield
    shared._KNOWN.clear()


def kernel(wrong: object, variant: str) -> Kernel:
    """AdamW whose parameter is off wherever wrong(slot)."""

    def groups(step: StepOne, given: Sequence[Group]) -> list[list[Stepped]]:
        return [[_one(step(g.hyper, slot), slot) for slot in g.slots] for g in given]

    def _one(new: Stepped, slot: Slot) -> Stepped:
        return replace(new, param=new.param * np.float32(1.5)) if wrong(slot) else new  # type: ignore[operator]

    return Kernel("adamw", groups=groups, variant=variant)


def judged(backend: Kernel) -> CheckResult:
    """Its check of several steps in lockstep."""
    [check] = [check for check in checks_of(backend) if check.name == "lockstep"]
    return run_check(backend, check, level="standard", seed=0)


def _late(slot: Slot) -> bool:
    return slot.state["t"] > 0 and slot.param.size > 0


def test_the_same_fault_is_simplified_once() -> None:
    """The second implementation fails by the simple case of the first."""
    first, second = judged(kernel(_late, "one")), judged(kernel(_late, "two"))
    assert first.verdict == second.verdict == "fail"
    assert first.worst == second.worst
    assert first.examples == second.examples


def test_a_verdict_does_not_hang_on_what_others_fail() -> None:
    """An implementation that is off where another one's simple case ends is not drawn that case."""
    known = judged(kernel(_late, "one"))
    assert known.worst is not None
    case = restored(OptimizerCase, json.loads(json.dumps(known.worst["case"])))
    [group] = case.groups[:1]
    simple = initial(OPTIMIZERS["adamw"], kernel(_late, "").capability, group, group.slots[0])

    def there(slot: Slot) -> bool:
        return slot.grad.tobytes() == simple.grad.tobytes() and slot.state["t"] > 0

    beside = judged(kernel(there, "two"))
    shared._KNOWN.clear()
    alone = judged(kernel(there, "two"))
    assert alone.verdict == beside.verdict
    assert alone.examples == beside.examples
    assert alone.worst == beside.worst
