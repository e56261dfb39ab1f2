"""Every rule can be judged with every state format, at no line of its own.

The kernel is the reference's lines on float32 arrays, as in the museum, between a decoding and an
encoding of the tensors that are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from truestep.fast.protocol import Array, Group, Stepped, Storage
from truestep.properties.judge.results import CheckResult
from truestep.properties.kinds import kind
from truestep.properties.museum.plant import Kernel, StepOne
from truestep.properties.run.plan import checks_of, run_check
from truestep.properties.search import exploration
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.quantizers import dynamic_8bit

# The whole state of each is stored.
RULES = [name for name, rule in OPTIMIZERS.items() if rule.State.BEHAVIOUR]
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
    **read: str,
) -> Kernel:
    """A float32 kernel with stored tensors.

    codes: what becomes of those that are right. rate: by what lr is multiplied. declared_nan:
    what a nan is said to make of its block's absmax. read: a dialect of the quantizer that is
    computed in the place of the declared one.
    """

    def stepped(step: StepOne, group: Group) -> list[Stepped]:
        out = []
        storage = {name: replace(how, **read) for name, how in group.storage.items()}
        hyper = replace(group.hyper, lr=rate * group.hyper.lr)
        for slot in group.slots:
            state = dict(slot.state)
            for name, how in storage.items():
                code, absmax = state.pop(f"{name}_code"), state.pop(f"{name}_absmax")
                scales = dynamic_8bit.per_element(how, absmax, code.shape)
                state[name] = dynamic_8bit.all_values(how).astype(np.float32)[code] * scales
            new = step(hyper, replace(slot, state=state))
            made = dict(new.state)
            for name, how in storage.items():
                code, absmax = dynamic_8bit.encode(how, made.pop(name).astype(np.float64))
                made[f"{name}_code"] = codes(code)
                made[f"{name}_absmax"] = absmax.astype(np.float32)
            out.append(Stepped(new.param, made))
        return out

    def groups(step: StepOne, given: Sequence[Group]) -> list[list[Stepped]]:
        return [stepped(step, group) for group in given]

    return Kernel(rule, groups=groups, storage=storage(rule, declared_nan))


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
    replicates.
    """
    backend = kernel(rule)
    contract = "sampled" if OPTIMIZERS[rule].FACTS.observables else "bounded"
    left_out = ("large", "strata") if contract == "sampled" else ()
    chosen = [check for check in checks_of(backend) if check.name not in left_out]
    found = [run_check(backend, check, level="smoke", seed=0) for check in chosen]
    for result in found:
        assert result.verdict in ("pass", "not_judged"), result.message
    judged = {result.check: result for result in found if result.verdict == "pass"}
    for name in ("all_zero", "combinations", "lockstep", "many_tensors", "update_alone"):
        assert judged[name].contract == contract
    assert "law:deterministic" in judged


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
