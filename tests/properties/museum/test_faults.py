from __future__ import annotations

import pytest

from truestep.properties.kinds import kind as kinds
from truestep.properties.kinds.table import KINDS
from truestep.properties.museum import FAULTS
from truestep.properties.museum.kept import fresh
from truestep.properties.museum.plant import Kernel
from truestep.properties.museum.power import catch, kernels
from truestep.properties.run.plan import checks_of, run_check
from truestep.properties.run.pool import certify
from truestep.properties.search import exploration
from truestep.reference.quantizers import FORMATS
from truestep.reference.tables import RULES

pytestmark = pytest.mark.power

BACKENDS = "truestep.properties.museum.backends"
# Objects with a life have faulty classes of their own, in tests/properties/kinds/life.
NAMES = [rule for kind, table in RULES.items() if kind != "life" for rule in table]


@pytest.fixture(autouse=True)
def _unsimplified(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault need only be caught here: counterexamples are not simplified."""
    monkeypatch.setattr(exploration, "SIMPLER", 0)


@pytest.mark.parametrize("name", [n for n, fault in FAULTS.items() if not fault.computes])
def test_every_fault_is_caught_by_the_expected_check(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted fault fails the check that is named for it, with a message that reproduces it."""
    monkeypatch.setattr(kinds, "_identified", lambda *_: "")
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


# Rules of whose first kernel every check is run; of the others those that catch the faults.
THOROUGH = (
    *("adam", "adamw", "amsgrad", "lamb", "lion", "nesterov", "sgd"),
    *(name for name in RULES["quantizer"] if name not in FORMATS),
    *("bof4_s", "e4m3_tiles", "int4", "int8_rows", "mxfp4", "nf4", "nvfp4"),
    *("q4_k", "q5_1", "uint8"),
)


@pytest.mark.parametrize("rule", NAMES)
def test_the_correct_kernels_pass(rule: str) -> None:
    """The reference's own lines raise no false alarm in the checks that catch what is planted."""
    named = {fault.check for fault in FAULTS.values() if fault.rule == rule}
    # The few examples of a lower level hold no two blocks to compare.
    blocks = getattr(RULES["quantizer"].get(rule), "BLOCKS", False)
    level = "standard" if rule == "bfloat16" or (blocks and rule in THOROUGH) else "smoke"
    for number, kernel in enumerate(kernels(rule)):
        for check in checks_of(kernel):
            if KINDS[check.kind].least(check) == "deep":
                continue
            if (rule in THOROUGH and not number) or check.name in named:
                result = run_check(kernel, check, level=level, seed=3)
                assert result.verdict == "pass", result.message


@pytest.mark.parametrize("rule", NAMES)
def test_faults_are_planted_in_every_rule(rule: str) -> None:
    """Of every kind."""
    assert any(fault.rule == rule for fault in FAULTS.values())


def test_faults_are_told_apart() -> None:
    """Each fault says what it is, where such a fault was found, and in which rule it is planted."""
    told = {(fault.rule, fault.description) for fault in FAULTS.values()}
    assert len(told) == len(FAULTS)
    for name, fault in FAULTS.items():
        assert name.startswith(f"{fault.rule}_")
        assert fault.source
        assert fault.edits or fault.slot or fault.groups or fault.noise is not fresh


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


def test_a_kernel_keeps_nothing_between_backends() -> None:
    """What a fault remembers is forgotten with its backend."""
    first, second = Kernel("adamw"), Kernel("adamw")
    assert first.module.memory is not second.module.memory
