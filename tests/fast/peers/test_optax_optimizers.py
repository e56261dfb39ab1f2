"""optax's optimizers: the state crosses unchanged, and each rule is judged as its row declares."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from truestep.fast.protocol import Capability, Group, Slot
from truestep.properties.judge.results import CheckResult
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.optimizers import OPTIMIZERS

pytest.importorskip("optax")

from truestep.fast.peers.findings import FINDINGS
from truestep.fast.peers.optax.backend import Backend
from truestep.fast.peers.optax.contrib_rows import CONTRIB_ROWS
from truestep.fast.peers.optax.loss_rows import LOSS_ROWS
from truestep.fast.peers.optax.optimizers import EVERY_ROW
from truestep.fast.peers.optax.row import REACH
from truestep.fast.peers.optax.rows import ROWS

BACKEND = Backend()
CAPABILITIES = [c for c in BACKEND.capabilities() if c.kind == "optimizer"]
# One family that shows the form of the rule, at every size of gradient.
FAMILY = "update_alone"


def named(rule: str, variant: str = "eager") -> Capability:
    """The capability of that rule and variant."""
    return next(c for c in CAPABILITIES if (c.rule, c.variant) == (rule, variant))


def hyper_of(capability: Capability, **fields: Any) -> Any:
    """The rule's Hyper in the capability's dialect."""
    return OPTIMIZERS[capability.rule].Hyper(**{**capability.dialect, **capability.fixed, **fields})


def slot_of(capability: Capability, hyper: Any, shape: tuple[int, ...], t: int) -> Slot:
    """A float32 slot of that shape whose every state array holds other numbers."""
    rng = np.random.default_rng(t)
    rule = OPTIMIZERS[capability.rule]
    p = rng.standard_normal(shape).astype(np.float32)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(rule.State):
        x = np.asarray(getattr(rule.init(hyper, p), field.name))
        fields[field.name] = np.asarray(rng.uniform(0.5, 1.0, x.shape).astype(np.float32))
    inputs = {
        name: rng.standard_normal(shape_of(shape)).astype(np.float32)
        for name, shape_of in rule.FACTS.inputs.items()
    }
    g = rng.standard_normal(shape).astype(np.float32)
    return Slot(p, g, {**fields, "t": t}, inputs)


def test_every_row_names_a_constructor_a_rule_and_its_fields() -> None:
    """Constructors exist; dialects, fixed numbers and fields are the rule's; variants differ."""
    for row in EVERY_ROW:
        assert callable(row.make)
        rule = OPTIMIZERS[row.rule]
        rule.Hyper(**{**row.dialect, **row.fixed})
        fields = {field.name for field in dataclasses.fields(rule.State)}
        assert set(row.state) <= fields - {"t"}
    assert len({(c.rule, c.variant) for c in CAPABILITIES}) == len(CAPABILITIES)
    for table in (ROWS, CONTRIB_ROWS, LOSS_ROWS):
        assert [row.rule for row in table] == sorted(row.rule for row in table)


@pytest.mark.parametrize("row", EVERY_ROW, ids=lambda row: row.rule + "-" + row.prefix)
def test_every_state_array_reaches_optax_and_comes_back(row: Any) -> None:
    """A change of any one state array changes the result, and what comes back has its shape."""
    capability = named(row.rule, row.prefix + row.ways[0])
    hyper = hyper_of(capability)
    slot = slot_of(capability, hyper, (3, 4), 1)
    [[plain]] = BACKEND.optimizer_step(capability, [Group(hyper, [slot])])
    assert plain.state["t"] == 2
    for name, x in slot.state.items():
        if name == "t":
            continue
        assert plain.state[name].shape == x.shape
        assert plain.state[name].dtype == x.dtype
    kept = set(row.state) - _not_read(capability, slot)
    for name in kept:
        turned = {**slot.state, name: np.asarray(slot.state[name] * np.float32(4096))}
        other = dataclasses.replace(slot, state=turned)
        [[moved]] = BACKEND.optimizer_step(capability, [Group(hyper, [other])])
        same = [np.array_equal(moved.param, plain.param)] + [
            np.array_equal(moved.state[n], plain.state[n]) for n in turned if n != "t"
        ]
        assert not all(same), name


def _not_read(capability: Capability, slot: Slot) -> set[str]:
    """Fields that the default hyperparameters leave unread, or that share optax's array."""
    unread = {
        "dpsgd": {"b"},
        "momo_adam": {"bound"},
        "prodigy": {"d"},
        "rmsprop": {"mean", "b"},
        "sgd": {"b"},
    }
    empty = {name for name, x in slot.state.items() if name != "t" and not x.size}
    return unread.get(capability.rule, set()) | empty


def test_tensors_that_count_apart_are_stepped_apart() -> None:
    """Two counts in one group: each tensor's step is what it is alone."""
    capability = named("adamw")
    hyper = hyper_of(capability, lr=0.1, weight_decay=0.5)
    slots = [slot_of(capability, hyper, (n,), t) for n, t in ((3, 0), (5, 7), (3, 0), (0, 7))]
    [together] = BACKEND.optimizer_step(capability, [Group(hyper, slots)])
    for slot, found in zip(slots, together, strict=True):
        [[alone]] = BACKEND.optimizer_step(capability, [Group(hyper, [slot])])
        assert found.state["t"] == alone.state["t"] == slot.state["t"] + 1
        np.testing.assert_array_equal(found.param, alone.param)
        np.testing.assert_array_equal(found.state["v"], alone.state["v"])


def test_the_counter_is_optax_s_own() -> None:
    """Beyond the last step that is asked for the int32 stands still."""
    capability = named("adamw")
    hyper = hyper_of(capability)
    for t, due in ((REACH, REACH + 1), (REACH + 2, REACH + 2)):
        slot = slot_of(capability, hyper, (2,), t)
        [[found]] = BACKEND.optimizer_step(capability, [Group(hyper, [slot])])
        assert found.state["t"] == due
    # Where optax counts nothing, no counter ends.
    uncounted = {row.rule for row in EVERY_ROW if row.reach != REACH}
    assert uncounted == {row.rule for row in LOSS_ROWS}


@pytest.mark.parametrize("way", ["injected", "scheduled"])
def test_a_rate_that_is_an_array_or_a_schedule_is_the_same_rate(way: str) -> None:
    """lr as optax.inject_hyperparams' array and as a schedule: judged, and none unjudged."""
    for rule in ("adamw", "sgd"):
        assert verdict(named(rule, way), FAMILY) == "pass"


def verdict(capability: Capability, name: str) -> str:
    """The verdict of the capability's check of that name, with the fewest examples."""
    return result(capability, name).verdict


def result(capability: Capability, name: str) -> CheckResult:
    """The result of the capability's check of that name, with the fewest examples."""
    check = next(
        c
        for c in checks_of(BACKEND)
        if c.capability.rule == capability.rule
        and c.capability.variant == capability.variant
        and c.name == name
    )
    return run_check(BACKEND, check, level=capability.level, seed=0)


@pytest.mark.parametrize(
    "capability",
    [c for c in CAPABILITIES if c.variant.endswith("eager") and c.level != "deep"],
    ids=lambda c: f"{c.rule}-{c.variant}",
)
def test_every_rule_passes_but_for_the_findings(capability: Capability) -> None:
    """The update alone is within its bound, or a finding says why not."""
    found = result(capability, FAMILY)
    assert found.verdict == "pass" or any(f.explains(found.to_json()) for f in FINDINGS)


def test_what_the_findings_say_is_seen_by_the_checks() -> None:
    """The wrong coefficient and a warm-up's wrong weight fail; a scalar is refused."""
    assert verdict(named("adan"), FAMILY) == "fail"
    assert verdict(named("schedule_free_sgd", "warmup_eager"), FAMILY) == "fail"
    capability = named("sm3")
    hyper = hyper_of(capability)
    with pytest.raises(IndexError):
        BACKEND.optimizer_step(capability, [Group(hyper, [slot_of(capability, hyper, (), 1)])])
