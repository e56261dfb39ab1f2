"""The table of training laws: complete, true of the references, and wrong where it says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.fast.protocol import TrainingCapability
from truestep.fast.reference_backend import Backend
from truestep.properties.judge.results import SLACK
from truestep.properties.kinds.table import KINDS
from truestep.properties.kinds.training.laws.bench import Bench, Trial
from truestep.properties.kinds.training.laws.laws import LAWS, OF, SETS, claimed, holding, speaks_of
from truestep.properties.kinds.training.laws.table import DEGREES, TABLE
from truestep.properties.laws.claims import PREFIX
from truestep.properties.laws.entries import Fails, Holds
from truestep.properties.run.plan import run_check
from truestep.reference.training import TRAINING

REFERENCE = Backend()
FAILING = [(r, law) for r in TABLE for law, entry in TABLE[r].items() if isinstance(entry, Fails)]
RESTRICTED = [
    (rule, {field: value})
    for rule in TABLE
    for entry in TABLE[rule].values()
    if isinstance(entry, Holds)
    for field, values in entry.when.items()
    for value in values
]


def capability(rule: str, **dialect: str) -> TrainingCapability:
    """The reference of a piece in a dialect."""
    return TrainingCapability(
        rule=rule, format="float64", arithmetic="ieee_float64", dialect=dialect
    )


@pytest.mark.parametrize("rule", TRAINING)
def test_every_law_that_says_anything_of_a_piece_has_its_entry(rule: str) -> None:
    """A law that is not listed is a law that nobody thought about."""
    assert set(TABLE[rule]) == {law for law in LAWS if speaks_of(law, rule)}
    piece = TRAINING[rule]
    inputs = set(DEGREES.get(rule, ())) & {*piece.INPUTS, *piece.Hyper.__dataclass_fields__}
    assert bool(inputs) == ("homogeneous" in TABLE[rule])


@pytest.mark.parametrize("rule", TRAINING)
def test_every_piece_has_three_laws_and_one_of_its_own(rule: str) -> None:
    """What only this piece obeys tells it from the others."""
    held = {r: {n for n, e in TABLE[r].items() if isinstance(e, Holds)} for r in TABLE}
    others = set().union(*(names for r, names in held.items() if r != rule))
    assert len(held[rule]) >= 3
    assert held[rule] - others


@pytest.mark.parametrize(("rule", "dialect"), [*((r, {}) for r in TRAINING), *RESTRICTED])
def test_laws_that_hold_hold_for_the_reference(rule: str, dialect: dict[str, str]) -> None:
    """No claim of a listed law leaves the reference's own bounds, in the dialects listed."""
    subject = capability(rule, **dialect)
    backend: Any = _InDialect()
    checks = [c for c in KINDS["training"].checks(subject) if c.name.startswith(PREFIX)]
    assert [c.name.removeprefix(PREFIX) for c in checks] == holding(subject)
    for check in checks:
        result = run_check(backend, check, level="smoke", seed=1, told=False)
        assert result.verdict == "pass", result.message


class _InDialect(Backend):
    """The reference computes in the dialect of the Hyper that it is given."""


def _made(x: Any) -> Any:
    if isinstance(x, tuple):
        return [_made(item) if isinstance(item, tuple) else item for item in x]
    return x


@pytest.mark.parametrize(("rule", "law"), FAILING)
def test_stored_counterexamples_break_their_law(rule: str, law: str) -> None:
    """What is said not to hold is shown not to hold, every time."""
    entry = TABLE[rule][law]
    assert isinstance(entry, Fails) and entry.why
    piece = TRAINING[rule]
    words = piece.INPUTS
    inputs = {
        name: [np.asarray(item) for item in x] if words[name] in ("tensors", "replicas") else x
        for name, x in entry.example.inputs.items()
    }
    inputs = {k: list(x) if isinstance(x, tuple) else x for k, x in inputs.items()}
    hyper = {f: getattr(piece.Hyper(), f) for f in piece.Hyper.__dataclass_fields__}
    trial = Trial({**hyper, **entry.example.hyper}, inputs)
    judged = claimed(Bench(REFERENCE, capability(rule)), law, trial)
    assert max(item.judgement.utilisation or 0.0 for item in judged) > SLACK


def test_dialects_and_fixed_hyperparameters_restrict_laws() -> None:
    """PyTorch's eps shrinks twice what is clipped twice; and it cannot be scaled."""
    assert "idempotent" in holding(capability("clip_by_global_norm"))
    shrunk = TrainingCapability(
        rule="clip_by_global_norm", dialect={"form": "shrunk"}, fixed={"eps": 1e-6}
    )
    assert not {"idempotent", "homogeneous"} & set(holding(shrunk))
    assert set(LAWS) == {law for entries in TABLE.values() for law in entries}
    assert set(OF) | set(SETS) <= set(LAWS)
