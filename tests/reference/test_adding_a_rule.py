"""A rule is its file and a line in the table of its kind: shown by adding one from a text."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from truestep.fast import reference_backend
from truestep.properties.cases.hypers import drawn
from truestep.properties.kinds.optimizer.laws import definitions
from truestep.properties.kinds.optimizer.laws.table import TABLE
from truestep.properties.laws.entries import obeys
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference import optimizers, tables
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.rules import Optimizer, table
from truestep.reports import listing

RULE = '''
"""Leaky sums of gradients.

Rule
    m_t = leak m_{t-1} + g, p_t = p_{t-1} - lr m_t
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import First, Rate, Real
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)

DIALECTS = {"form": {"sum": "gradients summed", "mean": "gradients averaged"}}


class Hyper(declared.Hyper):
    """Rate and leak."""

    lr: Rate = 0.1
    leak: Annotated[float, Real(0.0, 1.0, "high", usual=(0.9, 0.5), edges=(0.0,))] = 0.9
    form: Literal["sum", "mean"] = "sum"


class State(declared.State):
    """The sum m, shaped like p, and the counter t."""

    t: int
    m: First


def init(h: Hyper, p: Array) -> State:
    """m = 0."""
    return State(t=0, m=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step."""
    m = h.leak * s.m + (g if h.form == "sum" else (1 - h.leak) * g)
    return State(t=s.t + 1, m=m), p - h.lr * m
'''


def _module(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Optimizer:
    """The rule of that text, from a file beside those of reference/optimizers."""
    (folder / "leaky.py").write_text(text)
    monkeypatch.setattr(optimizers, "__path__", [*optimizers.__path__, str(folder)])
    rule: Optimizer = table(optimizers.__name__, Optimizer, "leaky")["leaky"]
    return rule


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """The added module is dropped again."""
    yield
    sys.modules.pop(f"{optimizers.__name__}.leaky", None)
    vars(optimizers).pop("leaky", None)


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Optimizer:
    """The rule in its file, in the table, and with a row of laws."""
    rule = _module(tmp_path, monkeypatch, RULE)
    for rules in (OPTIMIZERS, definitions.RULES):
        monkeypatch.setitem(rules, "leaky", rule)
    monkeypatch.setitem(TABLE, "leaky", obeys("deterministic linear_in_gradients odd"))
    return rule


def test_its_hyperparameters_are_validated_and_drawn(added: Optimizer) -> None:
    """From the annotations of its fields alone; edges only where they are asked for."""
    assert tables.RULES["optimizer"]["leaky"] is added
    with pytest.raises(ValueError, match=r"leak must lie in \[0, 1\), got 1\.0"):
        added.Hyper(leak=1.0)
    with pytest.raises(ValueError, match="form must be one of mean, sum; got 'sideways'"):
        added.Hyper(form="sideways")
    rng = np.random.default_rng(0)
    plain = [drawn(added, {"form": "mean"}, {"lr": 0.5}, rng) for _ in range(40)]
    assert {tuple(fields.items()) for fields in plain} == {
        (("form", "mean"), ("lr", 0.5), ("leak", leak)) for leak in (0.9, 0.5)
    }
    assert {drawn(added, {}, {}, rng, edges=True)["leak"] for _ in range(40)} == {0.9, 0.5, 0.0}


def test_it_is_listed(added: Optimizer) -> None:
    """With its definition, hyperparameters, state and dialects, as adapters need them."""
    [entry] = [entry for entry in listing.TOPICS["optimizers"]() if entry["name"] == "leaky"]
    assert str(entry["definition"]).startswith("Leaky sums of gradients.")
    assert entry["hyper"] == {"lr": 0.1, "leak": 0.9}
    assert entry["state"] == ["t", "m"]


@pytest.mark.parametrize("name", ["combinations", "law:linear_in_gradients", "law:odd"])
def test_it_is_judged(added: Optimizer, name: str) -> None:
    """Its own definition passes the checks, and one that errs fails them."""
    backend = reference_backend.Backend()
    [check] = [c for c in checks_of(backend) if c.id == f"optimizer/leaky/float64/{name}"]
    assert run_check(backend, check, level="standard", seed=0).verdict == "pass"


def test_a_wrong_step_is_found(added: Optimizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that forgets the leak departs from the definition."""
    backend = reference_backend.Backend()
    [check] = [c for c in checks_of(backend) if c.id == "optimizer/leaky/float64/combinations"]
    right = reference_backend._step
    monkeypatch.setattr(
        reference_backend,
        "_step",
        lambda name, group, slot: right(
            name, type(group)(added.Hyper(lr=group.hyper.lr, leak=0.0), group.slots), slot
        ),
    )
    assert run_check(backend, check, level="standard", seed=0).verdict == "fail"


@pytest.mark.parametrize(
    ("line", "without", "missing"),
    [
        ("    lr: Rate = 0.1", "    lr: float = 0.1", r"leaky: Hyper\.lr declares no range"),
        ("    m: First", "    m: Array", r"leaky: State\.m declares no behaviour"),
        ("FACTS = Facts(elementwise=True)", "", "leaky declares no FACTS"),
        ('"mean": "gradients averaged"', "", r"leaky: DIALECTS and Hyper\.form do not agree"),
        ("usual=(0.9, 0.5)", "usual=(0.9, 1.0)", r"usual must lie in \[0, 1\), got 1\.0"),
    ],
)
def test_what_a_rule_does_not_declare_is_an_error_at_import(
    line: str, without: str, missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the rule and the field."""
    assert line in RULE
    with pytest.raises((TypeError, ValueError), match=missing):
        _module(tmp_path, monkeypatch, RULE.replace(line, without))
