"""Every rule can be judged with every state format, at no line of its own.

The kernel is the reference's lines on float32 arrays, as in the museum, between a decoding and an
encoding of the tensors that are stored.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from truestep.fast.protocol import (
    Array,
    Capability,
    Group,
    OptimizerCapability,
    Slot,
    Stepped,
    Storage,
)
from truestep.properties.judge.results import CheckResult
from truestep.properties.kinds import kind
from truestep.properties.kinds.optimizer.storage import rule_of
from truestep.properties.museum import kept as kept_as
from truestep.properties.museum.plant import Kernel, StepOne
from truestep.properties.run.plan import checks_of, run_check
from truestep.properties.search import exploration
from truestep.reference.block_formats import BlockFormat
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.rank_one import RankOne

pytestmark = pytest.mark.power

# The whole state of each is stored.
RULES = [name for name, rule in OPTIMIZERS.items() if rule.State.BEHAVIOUR]
# On which every check is run, and those that are run on all.
THOROUGH = ("adafactor", "adamw", "lion", "sgd")
FEW = ("lockstep", "update_alone", "law:deterministic")
USUAL = ("all_zero", "combinations", *FEW)
Codes = Callable[[Array], Array]


def storage(rule: str, nan: str) -> dict[str, Storage]:
    """The rule's state in blocks of 64, what is never negative in the unsigned map."""
    return {
        name: Storage("dynamic_8bit", {"signed": not of.nonnegative, "block_size": 64, "nan": nan})
        for name, of in OPTIMIZERS[rule].State.BEHAVIOUR.items()
    }


def kernel(
    rule: str,
    codes: Codes = np.copy,
    scales: Callable[[Array, Array], Array] = lambda _, new: new,
    rate: float = 1.0,
    declared_nan: str = "propagate",
    kept: Mapping[str, Storage] | None = None,
    bodies: Mapping[str, Any] = QUANTIZERS,
    **read: str,
) -> Kernel:
    """A float32 kernel with stored tensors.

    codes: what becomes of those that are right. scales: the same of scales, given the old. rate: by
    what lr is multiplied. declared_nan: what a nan is said to make of its block's absmax. kept: the
    storage, if it is another. bodies: what computes a format. read: a dialect of the quantizer that
    is computed in the place of the declared one.
    """
    declared = storage(rule, declared_nan) if kept is None else kept

    class Storing(Kernel):
        def optimizer_step(
            self, capability: Capability, groups: Sequence[Group]
        ) -> list[list[Stepped]]:
            with np.errstate(all="ignore"):
                return [[self._stored(group, slot) for slot in group.slots] for group in groups]

        def _stored(self, group: Group, slot: Slot) -> Stepped:
            how = {
                name: (bodies[declared[name].quantizer], replace(x, **read))
                for name, x in group.storage.items()
            }
            hyper = replace(group.hyper, lr=rate * group.hyper.lr)
            new = kept_as.encoded(
                self._step(hyper, kept_as.decoded(slot, how)),
                how,
                lambda name, shape: kept_as.fresh(kept_as.Stream(next(calls), 0, name), shape),
            )
            made = dict(new.state)
            for name, (quantizer, _) in how.items():
                code, scale = f"{name}_code", f"{name}_{quantizer.SCALE}"
                made |= {code: codes(made[code]), scale: scales(slot.state[scale], made[scale])}
            return Stepped(new.param, made)

    calls = itertools.count()
    return Storing(rule, storage=declared)


def result(backend: Kernel, name: str) -> CheckResult:
    """One of the backend's checks."""
    [check] = [check for check in checks_of(backend) if check.name == name]
    return run_check(backend, check, level="standard", seed=0)


@pytest.fixture
def _unsimplified(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault need only be caught here."""
    monkeypatch.setattr(exploration, "SIMPLER", 0)
    monkeypatch.setattr(kind, "_identified", lambda *_: "")


@pytest.mark.parametrize("rule", RULES)
def test_a_right_kernel_passes_every_check(rule: str) -> None:
    """Codes, scales, what is not stored and the parameter, by families and by laws.

    Storage is the same for all, so that most are run on the usual cases alone, and fewer of those
    where a rule is judged by replicates.
    """
    backend = kernel(rule)
    contract = "sampled" if OPTIMIZERS[rule].FACTS.observables else "bounded"
    usual = FEW if contract == "sampled" else USUAL
    chosen = [c for c in checks_of(backend) if rule in THOROUGH or c.name in usual]
    found = [run_check(backend, check, level="smoke", seed=0) for check in chosen]
    for result in found:
        assert result.verdict in ("pass", "not_judged"), result.message
    judged = {result.check: result for result in found if result.verdict == "pass"}
    for name in usual:
        assert judged[name].contract == contract or name.startswith("law")


# Rules whose moments are kept as libraries keep them in 4 bits, in 8-bit floats and in integers.
FORMATS = {
    "adamw": {
        "m": Storage("dynamic_4bit", {"block_size": 128}),
        "v": Storage("linear_4bit", {"block_size": 128}),
    },
    "adam": {"m": Storage("e4m3_blocks"), "v": Storage("e4m3_blocks")},
    "lion": {"m": Storage("nf4", {"block_size": 64})},
    "sgd": {"b": Storage("int8", {"block_size": 64})},
    "muon": {"b": Storage("e5m2_blocks")},
    "adan": {
        "m": Storage("q8_0"),
        "n": Storage("mxfp8_e4m3", {"zero_block": ("least", "one")}),
        "v": Storage("q4_0"),
    },
    "rmsprop": {
        "v": Storage("mxfp8_e5m2", {"rule": ("ceil", "rceil", "even", "floor")}),
        "b": Storage("nvfp4_two_level", {"tensor_scale": 0.3, "level": ("reciprocal", "scale")}),
    },
    "radam": {"m": Storage("dynamic_4bit", {"block_size": 128}), "v": Storage("linear_4bit_rank1")},
    "adagrad": {"total": Storage("bof4_s", {"block_size": 64})},
    "nadam": {
        "m": Storage("int8_rows", {"kept": ("absmax", "quotient")}),
        "v": Storage("e4m3_tiles"),
    },
}


@pytest.mark.parametrize("rule", FORMATS)
def test_every_format_with_blocks_keeps_a_state(rule: str) -> None:
    """A right kernel passes every check that is not the same for all, and one code off is found."""
    backend = kernel(rule, kept=FORMATS[rule])
    for check in checks_of(backend):
        laws = check.name.startswith("law") and not OPTIMIZERS[rule].FACTS.observables
        if check.name in USUAL or laws:
            found = run_check(backend, check, level="smoke", seed=0)
            assert found.verdict in ("pass", "not_judged"), found.message
    wrong = result(kernel(rule, one_off, kept=FORMATS[rule]), "lockstep")
    assert wrong.verdict == "fail"
    assert "_code[" in wrong.message


@pytest.mark.usefixtures("_unsimplified")
@pytest.mark.parametrize("rule", ["adam", "adan", "radam", "rmsprop"])
@pytest.mark.parametrize("scales", [lambda old, _: old, lambda _, new: np.roll(new, 1)])
def test_a_scale_of_another_step_or_group_fails(rule: str, scales: Any) -> None:
    """Whatever a scale is; the neighbour's shows where there are several groups."""
    found = result(kernel(rule, scales=scales, kept=FORMATS[rule]), "strata")
    assert found.verdict == "fail"
    assert "_scale[" in found.message


class Largest(RankOne):
    """The larger one of a row's and a column's scale, where the rule takes the smaller one."""

    def per_element(self, h: Any, scale: Array, shape: tuple[int, ...]) -> Array:
        """The largest scale of every element's indices."""
        return -super().per_element(h, -np.asarray(scale, np.float64), shape)


@pytest.mark.usefixtures("_unsimplified")
def test_the_larger_scale_of_row_and_column_fails() -> None:
    """It shows in matrices, in codes and in what is read."""
    name = "linear_4bit_rank1"
    bodies = {**QUANTIZERS, name: Largest(name, QUANTIZERS[name].row)}
    found = result(kernel("radam", kept=FORMATS["radam"], bodies=bodies), "strata")
    assert found.verdict == "fail"
    assert re.search(r": (p|v_code|v_scale)\[", found.message)


# Moments whose codes are drawn, in a format with a float scale and in one with powers of two.
DRAWN = {
    "m": Storage("int8", {"block_size": 64, "rounding": "stochastic"}),
    "v": Storage("mxfp8_e4m3", {"rounding": "stochastic"}),
}
NEAREST = {
    name: Storage(how.quantizer, {**how.hyper, "rounding": "nearest_even"})
    for name, how in DRAWN.items()
}


class Drawing(BlockFormat):
    """A format whose codes are drawn anew in every call, by noise of so many times the gap."""

    rng = np.random.default_rng(0)
    gaps = 1

    def encode(self, h: Any, x: Array, random: Array | None = None) -> tuple[Array, Array]:
        """Of two neighbours one, or of those around a neighbour."""
        h = replace(h, rounding="stochastic")
        code, scale = super().encode(h, x, self.rng.integers(0, 2**16, np.shape(x)))
        if self.gaps == 1:
            return code, scale
        off = self.rng.integers(-1, 2, code.shape)
        rank = np.clip(self.rank(code) + off, 0, self.ranks(h) - 1)
        return self.ranked[0][rank].astype(np.uint8), scale


class TooNoisy(Drawing):
    """Noise of twice the gap."""

    gaps = 2


def drawing(body: type[Drawing], kept: Mapping[str, Storage]) -> Kernel:
    """AdamW with drawn moments."""
    names = {how.quantizer for how in kept.values()}
    bodies = {name: body(name, QUANTIZERS[name].row) for name in names}
    return kernel("adamw", kept=kept, bodies={**QUANTIZERS, **bodies})


def test_drawn_codes_are_either_neighbour() -> None:
    """A right kernel passes every usual check and all laws; no law compares what chance decides."""
    backend = drawing(Drawing, DRAWN)
    checks = [c for c in checks_of(backend) if c.name in USUAL or c.name.startswith("law")]
    assert "law:deterministic" in {c.name for c in checks}
    assert not any("bitwise" in c.name or "state_independent" in c.name for c in checks)
    for check in checks:
        found = run_check(backend, check, level="smoke", seed=0)
        assert found.verdict in ("pass", "not_judged"), found.message


def test_the_sign_of_a_zero_follows_from_the_order_of_evaluation() -> None:
    """m = g or m = 0 m + g, of a gradient of -0: either code of zero is right, and no other."""
    storage = {name: Storage("e4m3_blocks") for name in ("m", "v", "n")}
    start = ("m, v, n = g, np", "m, v, n = s.m + g, np")
    summed = result(Kernel("adan", [start], storage=storage), "all_zero")
    assert summed.verdict == "pass", summed.message
    wrong = result(kernel("adan", one_off, kept=storage), "all_zero")
    assert wrong.verdict == "fail"


@pytest.mark.usefixtures("_unsimplified")
@pytest.mark.parametrize(("body", "kept"), [(Drawing, NEAREST), (TooNoisy, DRAWN)])
def test_other_codes_than_the_declared_ones_fail(body: Any, kept: Any) -> None:
    """Drawn where the nearest is declared, and farther than the neighbours where they are."""
    found = result(drawing(body, kept), "lockstep")
    assert found.verdict == "fail"
    assert "_code[" in found.message


def test_what_cannot_keep_a_state_is_refused() -> None:
    """With the formats that can."""
    with pytest.raises(
        ValueError, match=r"storage of m must be one of .*dynamic_8bit.*; got 'float16'"
    ):
        rule_of(OptimizerCapability(rule="adamw", storage={"m": Storage("float16")}))


def one_off(code: Array) -> Array:
    """The codes with the last of each tensor's one step further."""
    out = code.copy()
    last = out.reshape(-1)[-1:]
    last += np.where(last < 255, 1, -1).astype(np.uint8)
    return out


@pytest.mark.usefixtures("_unsimplified")
@pytest.mark.parametrize("check", ["combinations", "lockstep"])
@pytest.mark.parametrize("rule", RULES)
def test_one_code_off_by_one_fails(rule: str, check: str) -> None:
    """It is named, whatever the rule."""
    found = result(kernel(rule, one_off), check)
    assert found.verdict == "fail"
    assert "_code[" in found.message


# Their lr is the first rate, or size, alone.
FIRST_ALONE = ("adam_hd", "rprop", "sgd_hd")


@pytest.mark.usefixtures("_unsimplified")
@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in FIRST_ALONE])
def test_a_parameter_off_by_a_thousandth_of_its_step_fails(rule: str) -> None:
    """What is not stored is judged as that of any optimizer."""
    found = result(kernel(rule, rate=1.001), "update_alone")
    assert found.verdict == "fail"
    # LARS's buffer, COCOB's sum and the way that Mechanic tunes hold lr times their gradients.
    held = {"cocob": "): s_", "lars": "): b_", "mechanic": "): way_"}
    assert "): p[" in found.message or held.get(rule, "): p[") in found.message


@pytest.mark.usefixtures("_unsimplified")
@pytest.mark.parametrize("nan", ["ignore", "propagate"])
def test_what_a_nan_makes_of_its_block_is_judged(nan: str) -> None:
    """A right kernel passes with either choice, and fails with the other one declared."""
    right = result(kernel("adamw", declared_nan=nan), "special_values")
    assert right.verdict == "pass", right.message
    other = {"ignore": "propagate", "propagate": "ignore"}[nan]
    wrong = result(kernel("adamw", declared_nan=nan, nan=other), "special_values")
    assert wrong.verdict == "fail"
    assert "_absmax[" in wrong.message


def test_another_dialect_of_the_quantizer_is_identified() -> None:
    """A failing kernel is read with other choices of its storage too."""
    found = result(kernel("adamw", zero_block="first_code"), "all_zero")
    assert found.verdict == "fail"
    assert found.identified == "adamw on dynamic_8bit with a block of zeros holds code 0"


@pytest.mark.usefixtures("_unsimplified")
@pytest.mark.parametrize(("rest", "verdict"), [(0xFFFF, "pass"), (0xFF00, "fail"), (0, "fail")])
def test_a_parameter_in_two_parts_is_judged_as_joined(rest: int, verdict: str) -> None:
    """The upper 16 bits of a float32 parameter and the others, of which some are dropped."""

    def groups(step: StepOne, given: Sequence[Group]) -> list[list[Stepped]]:
        return [[parted(step(group.hyper, slot)) for slot in group.slots] for group in given]

    def parted(new: Stepped) -> Stepped:
        bits = np.asarray(new.param, np.float32).view(np.uint32)
        high, low = (bits >> 16).astype(np.uint16), (bits & rest).astype(np.uint16)
        joined = high.astype(np.uint32) << 16 | low
        return Stepped(joined.astype(np.uint32).view(np.float32), new.state)

    found = result(Kernel("adamw", groups=groups), "lockstep")
    assert found.verdict == verdict, found.message
