"""The table of laws: complete, true of the references, and wrong where it says that a law fails."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from truestep.fast.protocol import OptimizerCapability, Storage
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.cases.tensors import TensorSpec
from truestep.properties.judge.contracts import Judged
from truestep.properties.judge.results import SLACK
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.properties.kinds.optimizer.laws.bench import Bench
from truestep.properties.kinds.optimizer.laws.checks import (
    claimed,
    counterexample,
    holding,
    names,
    shapes,
    trial_of,
)
from truestep.properties.kinds.optimizer.laws.definitions import RULES, Backend
from truestep.properties.kinds.optimizer.laws.families.stored import STORED, SURVIVING
from truestep.properties.kinds.optimizer.laws.laws import COMMON, LAWS, SPECIAL
from truestep.properties.kinds.optimizer.laws.needs import NEEDS
from truestep.properties.kinds.optimizer.laws.table import TABLE, entries
from truestep.properties.kinds.optimizer.storage import held_storage
from truestep.properties.laws.entries import Fails, Holds, Void
from truestep.reference.optimizers import FROM_FUNCTION

DEFINITIONS = Backend()
FAILING = [
    (rule, law)
    for rule in TABLE
    for law, entry in entries(rule).items()
    if isinstance(entry, Fails)
]
# Hyperparameters at which every term of a rule is seen, three of each, by name of the field.
VALUES: dict[str, tuple[Any, Any, Any]] = {
    "alpha": (0.75, 0.9, 0.99),
    "beta1": (0.9, 0.5, 0.3),
    "beta2": (0.99, 0.9, 0.999),
    "block_size": (64, 64, 128),
    "centered": (False, True, False),
    "dampening": (0.5, 0.1, 0.9),
    "eps": (1e-3, 1e-8, 1.0),
    "initial_total": (0.0, 0.1, 0.0),
    "initial_v": (0.0, 1.0, 0.0),
    "lambd": (0.01, 0.1, 0.01),
    "lr": (0.03, 0.5, 1e-3),
    "lr_decay": (0.1, 0.0, 0.01),
    "maximize": (False, True, False),
    "momentum": (0.9, 0.5, 0.0),
    "momentum_decay": (4e-3, 1.0, 0.1),
    "offset": (1.0, 0.0, 10.0),
    "start": (0, 2, 1),
    "t0": (1, 10, 0),
    "trust_coefficient": (0.02, 1.0, 1e-3),
    "weight_decay": (0.3, 0.01, 1.0),
}
COUNTS = (0, 2, 99, 9, 1, 12345)


def capability(rule: str, **dialect: str) -> OptimizerCapability:
    """The definition of a rule in a dialect; its arithmetic fuses nothing."""
    return OptimizerCapability(rule=rule, format="float64", arithmetic="oracle", dialect=dialect)


def variants(rule: str) -> Iterator[OptimizerCapability]:
    """A rule in its own form and with each other choice alone."""
    yield capability(rule)
    own = RULES[rule].Hyper()
    for field, choices in RULES[rule].DIALECTS.items():
        for choice in choices:
            if choice != getattr(own, field):
                yield capability(rule, **{field: choice})


def case(subject: OptimizerCapability, law: str, i: int) -> OptimizerCase:
    """The i-th of the cases that cover scales, counts, histories and hyperparameters."""
    own = RULES[subject.rule]
    fields = [f for f in own.Hyper.__dataclass_fields__ if f in VALUES and f not in own.DIALECTS]
    shape = shapes(subject, law)[i % len(shapes(subject, law))]
    t = COUNTS[i % len(COUNTS)]
    slot = SlotCase(
        TensorSpec(shape, "normal", seed=i),
        TensorSpec(
            shape,
            ("normal", "spread")[i % 2],
            seed=100 + i,
            exponent=(0, -3, 2)[i % 3],
            specials=((1, "zero"),) if i % 2 else (),
        ),
        t=t,
        history=min(t, 1 + i % 3),
        past=i % 3 - 1,
    )
    hyper = {f: VALUES[f][i % 3] for f in fields} | dict(subject.dialect) | held_storage(subject)
    return OptimizerCase((GroupCase(hyper, (slot,)),), 1)


def judged(subject: OptimizerCapability, law: str, i: int) -> list[Judged]:
    """A law's claims on a case; none where the case leaves a decision open."""
    trial = trial_of(subject, law, case(subject, law, i))
    try:
        return claimed(Bench(DEFINITIONS, subject), law, trial)
    except Undecided:
        return []


def told(subject: OptimizerCapability, law: str, found: Judged) -> str:
    """Where a claim is wrong."""
    j = found.judgement
    return (
        f"{subject.rule} {dict(subject.dialect)} {law}: {found.tensor}{list(j.index or ())} is "
        f"{j.got!r}, due is {j.oracle!r}, bound {j.bound:.3g}, utilisation {j.utilisation:.3g}"
    )


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_an_entry_for_every_common_law(rule: str) -> None:
    """A law that is not listed is a law that nobody thought about."""
    assert rule in TABLE, f"the table of laws has no row for {rule}"
    missing = set(COMMON) - set(entries(rule))
    assert not missing, f"{rule} has no entry for {sorted(missing)}"
    assert not set(entries(rule)) - set(LAWS)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_three_laws_and_one_of_its_family(rule: str) -> None:
    """At least three laws hold, one of which other rules break."""
    holding = {law for law, entry in entries(rule).items() if isinstance(entry, Holds)}
    assert len(holding) >= 3
    assert holding & set(SPECIAL), f"{rule} has no law of its family"


@pytest.mark.parametrize("rule", RULES)
def test_degrees_name_the_state(rule: str) -> None:
    """Every array of the state has its behaviour, in the order of the state."""
    fields = [name for name in RULES[rule].State.__dataclass_fields__ if name != "t"]
    assert list(RULES[rule].State.BEHAVIOUR) == fields


def test_every_law_holds_somewhere_and_special_laws_fail_somewhere() -> None:
    """A law that nothing obeys or everything obeys tells nothing about a family."""
    rows = [*map(entries, TABLE), STORED]
    kinds = {law: {type(row[law]) for row in rows if law in row} for law in LAWS}
    assert [law for law in LAWS if Holds not in kinds[law]] == []
    assert [law for law in SPECIAL if Fails not in kinds[law]] == []


def test_tables_are_alphabetical() -> None:
    """Rules, laws and needs are found by eye."""
    assert list(COMMON) == sorted(COMMON)
    assert set(NEEDS) <= set(LAWS)


@pytest.mark.parametrize("rule", RULES)
def test_laws_that_hold_hold_for_the_reference(rule: str) -> None:
    """No claim of a listed law leaves the definition's own bounds, in any dialect it is said of."""
    # Bounds from replicates cost as much as dozens of evaluations.
    costly = RULES[rule].FACTS.observables is not None or rule in FROM_FUNCTION
    unseen = set()
    for k, subject in enumerate(variants(rule)):
        for law in holding(subject):
            turn = zlib.crc32(f"law:{law}".encode()) + k
            if costly and k and turn % 6:
                continue
            found = []
            for i in range(turn, turn + (1 if k or costly else 2)):
                found += judged(subject, law, i)
            for item in found:
                u = item.judgement.utilisation
                assert u is None or u <= SLACK, told(subject, law, item)
            if k == 0 and not any(item.judgement.judged for item in found):
                unseen.add(law)
    for law in unseen:
        found = [item for i in range(6) for item in judged(capability(rule), law, i)]
        assert any(item.judgement.judged for item in found), f"nothing is judged of {law}"


@pytest.mark.parametrize(("rule", "law"), FAILING)
def test_stored_counterexamples_break_their_law(rule: str, law: str) -> None:
    """What is said not to hold is shown not to hold, every time."""
    entry = entries(rule)[law]
    assert isinstance(entry, Fails)
    found = counterexample(Bench(DEFINITIONS, capability(rule)), law, entry)
    assert max(item.judgement.utilisation or 0.0 for item in found) > SLACK


# AdamW, its moments in blocks of 64 codes.
EIGHT_BIT = OptimizerCapability(
    rule="adamw",
    format="float64",
    arithmetic="oracle",
    storage={
        "m": Storage("dynamic_8bit", {"signed": True, "block_size": 64}),
        "v": Storage("dynamic_8bit", {"signed": False, "block_size": 64}),
    },
)


@pytest.mark.parametrize("law", [law for law, e in STORED.items() if isinstance(e, Fails)])
def test_storage_breaks_the_laws_that_it_is_said_to_break(law: str) -> None:
    """At the stored examples, in AdamW."""
    entry = STORED[law]
    assert isinstance(entry, Fails)
    found = counterexample(Bench(DEFINITIONS, EIGHT_BIT), law, entry)
    assert max(item.judgement.utilisation or 0.0 for item in found) > SLACK


def test_laws_that_survive_storage_hold_for_the_reference() -> None:
    """And only these are asked of it."""
    assert set(SURVIVING) | set(STORED) >= set(holding(EIGHT_BIT))
    for law in holding(EIGHT_BIT):
        found = [item for i in range(2) for item in judged(EIGHT_BIT, law, i)]
        assert any(item.judgement.judged for item in found), law
        for item in found:
            assert (item.judgement.utilisation or 0.0) <= SLACK, told(EIGHT_BIT, law, item)


def test_dialects_restrict_laws() -> None:
    """A coupled decay enters the state; a decoupled one does not."""
    assert "law:state_independent_of_params" not in names(capability("adam"))
    assert "law:state_independent_of_params" in names(capability("adam", decay="before"))


def test_fixed_hyperparameters_restrict_laws() -> None:
    """A kernel that cannot vary what a law varies is not asked about it."""
    fixed = OptimizerCapability(rule="adam", fixed={"eps": 1e-8, "lr": 0.1})
    assert "law:homogeneous_in_gradient_and_eps" not in names(fixed)
    assert "law:params_unchanged_when_lr_is_zero" not in names(fixed)
    assert "law:odd" in names(fixed)
    single = OptimizerCapability(rule="adam", single=True)
    assert "law:independent_of_other_tensors" not in names(single)


def test_what_a_rule_lacks_is_void() -> None:
    """Void entries follow from what a law needs, and say what is missing."""
    entry = entries("signsgd")["homogeneous_in_gradient_and_eps"]
    assert isinstance(entry, Void) and entry.why == "no eps"
    assert np.all([isinstance(e, Holds) or e.why for r in TABLE for e in entries(r).values()])
