"""Every rule can be judged with every state format, at no line of its own.

The kernel is the reference's lines on float32 arrays, as in the museum, between a decoding and an
encoding of the tensors that are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from truestep.fast.protocol import Array, Group, OptimizerCapability, Stepped, Storage
from truestep.properties.judge.results import CheckResult
from truestep.properties.kinds import kind
from truestep.properties.kinds.optimizer.storage import rule_of
from truestep.properties.museum.plant import Kernel, StepOne
from truestep.properties.run.plan import checks_of, run_check
from truestep.properties.search import exploration
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.quantizers import QUANTIZERS

# The whole state of each is stored.
RULES = [name for name, rule in OPTIMIZERS.items() if rule.State.BEHAVIOUR]
# On which every check is run, and those that are run on all.
THOROUGH = ("adafactor", "adamw", "adan", "lion", "muon", "prodigy", "sgd", "shampoo")
USUAL = ("all_zero", "combinations", "lockstep", "update_alone", "law:deterministic")
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
    rate: float = 1.0,
    declared_nan: str = "propagate",
    kept: Mapping[str, Storage] | None = None,
    **read: str,
) -> Kernel:
    """A float32 kernel with stored tensors.

    codes: what becomes of those that are right. rate: by what lr is multiplied. declared_nan:
    what a nan is said to make of its block's absmax. kept: the storage, if it is another. read: a
    dialect of the quantizer that is computed in the place of the declared one.
    """
    declared = storage(rule, declared_nan) if kept is None else kept

    def stepped(step: StepOne, group: Group) -> list[Stepped]:
        out = []
        by = {name: QUANTIZERS[declared[name].quantizer] for name in group.storage}
        how = {name: replace(x, **read) for name, x in group.storage.items()}
        hyper = replace(group.hyper, lr=rate * group.hyper.lr)
        for slot in group.slots:
            state = dict(slot.state)
            for name, quantizer in by.items():
                code, scale = state.pop(f"{name}_code"), state.pop(f"{name}_{quantizer.SCALE}")
                scales = quantizer.per_element(how[name], scale, code.shape)
                state[name] = quantizer.all_values(how[name]).astype(np.float32)[code] * scales
            new = step(hyper, replace(slot, state=state))
            made = dict(new.state)
            for name, quantizer in by.items():
                code, scale = quantizer.encode(how[name], made.pop(name).astype(np.float64))
                made[f"{name}_code"] = codes(code)
                made[f"{name}_{quantizer.SCALE}"] = scale.astype(np.float32)
            out.append(Stepped(new.param, made))
        return out

    def groups(step: StepOne, given: Sequence[Group]) -> list[list[Stepped]]:
        return [stepped(step, group) for group in given]

    return Kernel(rule, groups=groups, storage=declared)


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

    Large tensors and strata take the time of all else together where a rule is judged by
    replicates; storage is the same for all, so that most are run on the usual cases alone.
    """
    backend = kernel(rule)
    contract = "sampled" if OPTIMIZERS[rule].FACTS.observables else "bounded"
    left_out = ("large", "strata") if contract == "sampled" else ()
    chosen = [
        check
        for check in checks_of(backend)
        if check.name not in left_out and (rule in THOROUGH or check.name in USUAL)
    ]
    found = [run_check(backend, check, level="smoke", seed=0) for check in chosen]
    for result in found:
        assert result.verdict in ("pass", "not_judged"), result.message
    judged = {result.check: result for result in found if result.verdict == "pass"}
    for name in USUAL:
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
}


@pytest.mark.parametrize("rule", FORMATS)
def test_every_format_with_blocks_keeps_a_state(rule: str) -> None:
    """A right kernel passes every check that is not the same for all, and one code off is found."""
    backend = kernel(rule, kept=FORMATS[rule])
    for check in checks_of(backend):
        if check.name in USUAL or check.name.startswith("law"):
            found = run_check(backend, check, level="smoke", seed=0)
            assert found.verdict in ("pass", "not_judged"), found.message
    wrong = result(kernel(rule, one_off, kept=FORMATS[rule]), "lockstep")
    assert wrong.verdict == "fail"
    assert "_code[" in wrong.message


def test_what_cannot_keep_a_state_is_refused() -> None:
    """With the formats that can."""
    with pytest.raises(
        ValueError, match=r"storage of m must be one of .*dynamic_8bit.*; got 'mxfp4'"
    ):
        rule_of(OptimizerCapability(rule="adamw", storage={"m": Storage("mxfp4")}))


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


@pytest.mark.usefixtures("_unsimplified")
@pytest.mark.parametrize("rule", RULES)
def test_a_parameter_off_by_a_thousandth_of_its_step_fails(rule: str) -> None:
    """What is not stored is judged as that of any optimizer."""
    found = result(kernel(rule, rate=1.001), "update_alone")
    assert found.verdict == "fail"
    # The buffer of LARS holds lr times its gradients.
    assert "): p[" in found.message or (rule == "lars" and "): b_" in found.message)


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
