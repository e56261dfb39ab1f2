from __future__ import annotations

import pytest

from truestep.properties.kinds.minimizer import families as minimizer_checks
from truestep.properties.kinds.optimizer import families as optimizer_checks
from truestep.properties.museum import FAULTS
from truestep.properties.museum.cast_faults import CastBackend, CastFault
from truestep.properties.museum.fault import MuseumBackend
from truestep.properties.museum.kernels import KERNELS
from truestep.properties.museum.power import catch, clear
from truestep.properties.museum.quantizer_faults import (
    PIECES,
    QuantizerBackend,
    QuantizerFault,
)
from truestep.properties.museum.schedule_faults import ScheduleFault
from truestep.properties.museum.training_kernels import TrainingBackend, TrainingFault
from truestep.properties.run.plan import checks_of, run_check
from truestep.properties.run.pool import certify
from truestep.properties.search import exploration
from truestep.reference.optimizers import FROM_FUNCTION, OPTIMIZERS
from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.schedules import SCHEDULES
from truestep.reference.training import TRAINING

BACKENDS = "truestep.properties.museum.backends"
RULES = {**OPTIMIZERS, **FROM_FUNCTION}


@pytest.fixture(autouse=True)
def _unsimplified(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault need only be caught here: counterexamples are not simplified."""
    monkeypatch.setattr(exploration, "SHRINKING", 0.0)


@pytest.mark.parametrize("name", [n for n, fault in FAULTS.items() if not fault.computes])
def test_every_fault_is_caught_by_the_expected_check(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted fault fails the check that is named for it, with a message that reproduces it."""
    monkeypatch.setattr(optimizer_checks, "identify", lambda *_, **__: "")
    monkeypatch.setattr(minimizer_checks, "_identified", lambda *_: "")
    result = catch(name).result
    assert result is not None, f"{FAULTS[name].description}: every check passes"
    assert result.check == FAULTS[name].check
    assert result.verdict == "fail"
    assert "reproduce:" in result.message or result.contract == "statistical"


@pytest.mark.parametrize("name", [n for n, fault in FAULTS.items() if fault.computes])
def test_faults_that_are_dialects_are_identified(name: str) -> None:
    """Where the faulty kernel computes another known form, the failure says which."""
    result = catch(name).result
    assert result is not None
    assert result.check == FAULTS[name].check
    assert FAULTS[name].computes in result.identified
    assert f"this kernel computes: {result.identified}" in result.message


# Kernels on which every law is run too; the others stand for rules whose laws have their own tests.
THOROUGH = ("adam", "adamw", "amsgrad", "lamb", "lion", "nesterov", "sgd")


@pytest.mark.parametrize("rule", THOROUGH)
def test_the_correct_kernels_pass_every_check(rule: str) -> None:
    """No check raises a false alarm on the kernels that the faults are planted in."""
    for result in clear(rule, level="smoke"):
        assert result.verdict == "pass", result.message


@pytest.mark.parametrize("rule", sorted(set(KERNELS) - set(THOROUGH)))
def test_the_correct_kernels_pass_where_the_faults_fail(rule: str) -> None:
    """Nor do the checks that catch the faults."""
    named = {fault.check for fault in FAULTS.values() if fault.rule == rule}
    backend = MuseumBackend(rule)
    judging = [check for check in checks_of(backend) if check.name in named]
    assert len(judging) == len(named)
    for check in judging:
        result = run_check(backend, check, level="smoke", seed=0)
        assert result.verdict == "pass", result.message


@pytest.mark.parametrize("rule", ["bfloat16", "dynamic_8bit"])
def test_the_correct_quantizers_pass_every_check(rule: str) -> None:
    """No check raises a false alarm on the quantizers that the faults are planted in."""
    backend = QuantizerBackend(rule)
    for check in checks_of(backend):
        result = run_check(backend, check, level="standard", seed=3)
        assert result.verdict == "pass", result.message


@pytest.mark.parametrize("rule", ["float16", "float8_e4m3fn", "float8_e5m2"])
def test_the_correct_casts_pass_every_check(rule: str) -> None:
    """No check raises a false alarm on the casts that the faults are planted in."""
    backend = CastBackend(rule)
    for check in checks_of(backend):
        result = run_check(backend, check, level="smoke", seed=3)
        assert result.verdict == "pass", result.message


@pytest.mark.parametrize("rule", TRAINING)
def test_the_correct_training_pieces_pass_every_check(rule: str) -> None:
    """No check raises a false alarm on the pieces that the faults are planted in."""
    backend = TrainingBackend(rule)
    for check in checks_of(backend):
        result = run_check(backend, check, level="smoke", seed=3)
        assert result.verdict == "pass", result.message


def test_faults_are_planted_in_every_training_piece() -> None:
    """None is left out."""
    planted = {fault.rule for fault in FAULTS.values() if isinstance(fault, TrainingFault)}
    assert planted == set(TRAINING)


def test_faults_are_planted_in_every_kernel_of_the_museum() -> None:
    """None of the correct kernels stands there for nothing."""
    planted = {fault.rule for fault in FAULTS.values()}
    assert set(KERNELS) <= planted
    assert {name for name, rule in OPTIMIZERS.items() if rule.FACTS.observables} <= planted


def test_faults_are_told_apart() -> None:
    """Each fault says what it is, where such a fault was found, and in which rule it is planted."""
    told = {(fault.rule, fault.description) for fault in FAULTS.values()}
    assert len(told) == len(FAULTS)
    for name, fault in FAULTS.items():
        assert name.startswith(f"{fault.rule}_")
        assert fault.source
        if isinstance(fault, ScheduleFault):
            assert fault.rule in SCHEDULES
            continue
        if isinstance(fault, TrainingFault):
            assert fault.rule in TRAINING
            continue
        if isinstance(fault, CastFault):
            assert fault.rule in QUANTIZERS
            continue
        if isinstance(fault, QuantizerFault):
            assert fault.rule in QUANTIZERS
            assert set(fault.pieces) <= set(PIECES)
            continue
        assert fault.rule in RULES
        unknown = set(fault.lines) - set(KERNELS[fault.rule].kernel)
        assert not unknown, f"{name} replaces lines that do not exist: {unknown}"


def test_a_fault_fails_through_the_runner() -> None:
    """The same faults are backends that the command line certifies: the verdict is a failure."""
    run = certify(
        f"{BACKENDS}:adamw_eps_inside_root", only="optimizer/adamw/*/update_alone", workers=1
    )
    (result,) = run.results
    assert result.verdict == "fail"
    assert "eps added inside the root" in result.identified


def test_a_correct_kernel_passes_through_the_runner() -> None:
    """The correct kernel passes in a process of its own."""
    run = certify(f"{BACKENDS}:adamw", only="*/lockstep", level="smoke", workers=1)
    assert [result.verdict for result in run.results] == ["pass"]
