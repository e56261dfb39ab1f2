"""Findings: each reproduces, and explains the failures of its own cause alone."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from truestep.fast import discovery
from truestep.fast.peers import findings
from truestep.fast.peers.finding import PEERS, load
from truestep.fast.peers.findings import FINDINGS, Finding, audit, findings_of
from truestep.fast.peers.predicate import CONDITIONS, holds, passes, validated
from truestep.fast.protocol import BackendUnavailable
from truestep.properties.judge.results import departures


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda f: f"{f.library} {f.rule}: {f.title}")
def test_a_finding_reproduces(finding: Finding, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reproducer prints what the finding says, and that is not what it should."""
    # Not imported here: Keras takes its backend from the environment, where a reproducer sets it.
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    try:
        installed = importlib.metadata.version(finding.distribution)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{finding.distribution} is not installed")
    if not finding.concerns(installed):
        pytest.skip(f"found in {finding.versions}, {installed} is installed")
    file, arguments = finding.program
    monkeypatch.setattr(sys, "argv", [str(file), *arguments])
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(file), run_name="__main__")
    assert printed.getvalue().strip() == finding.actual
    assert finding.actual != finding.expected


LIBRARIES = sorted({finding.library for finding in FINDINGS if finding.departs})


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_declared_departure_has_a_finding(library: str) -> None:
    """And every finding that tells of one is declared: the audit's two directions."""
    try:
        backend = discovery.load(library)
    except BackendUnavailable as reason:
        pytest.skip(str(reason))
    declared = {
        (capability.rule, f"{field} {value}")
        for capability in backend.capabilities()
        for field, value in departures(capability).items()
    }
    told = [(f.rule, x) for f in FINDINGS if f.library == library for x in f.departs]
    assert declared == set(told) and len(told) == len(set(told))


def test_findings_are_told_apart() -> None:
    """Library, rule and title name one finding, and no text is left to fill in."""
    assert len({finding.label for finding in FINDINGS}) == len(FINDINGS)
    assert not [f.label for f in FINDINGS if "$" in f.title + f.reproducer + f.expected]


def test_every_program_reproduces_a_finding() -> None:
    """No reproducer is left over, and none is missing."""
    programs = {finding.program[0] for finding in FINDINGS}
    found = {*PEERS.glob("reproducers/*.py"), *PEERS.glob("*/reproducers/*.py")}
    assert programs == found


WORST = {
    "case": {
        "groups": [
            {"hyper": {"lr": 0.5, "decay": "before"}, "slots": [
                {"param": {"shape": [2, 0], "layout": "strided"}, "t": 8},
            ]},
            {"hyper": {"lr": 0.0}, "slots": [{"param": {"shape": [], "layout": "offset"}, "t": 1}]},
        ]
    },
    "tensor": "m", "step": 1, "group": 0, "slot": 0, "inputs": {"g": "-inf"},
    "got": "0x1.8p+0", "oracle": "0x1.0p+0",
}  # fmt: skip
CHECK: dict[str, Any] = {
    "id": "optimizer/lion/float32/lockstep", "rule": "lion", "verdict": "fail", "message": "m is 1",
    "identified": "lion with lr twice", "worst": WORST,
}  # fmt: skip
CRASHED = {**CHECK, "verdict": "crashed", "message": "lion: the backend raised KeyError: 'm'"}
# Conditions that hold of CHECK, and conditions that do not.
HOLDING: list[dict[str, object]] = [
    {"axes": 2}, {"count": 9}, {"elements": 0}, {"got": "finite"}, {"got": ">1"}, {"oracle": 1},
    {"hyper": {"lr": ">0", "decay": "before"}}, {"identified": "lr twice"}, {"layout": "strided"},
    {"inputs": {"g": "inf"}}, {"message": "^m is"}, {"relative_error": "<=0.5"},
    {"tensor": ["p", "m"]}, {"tensor": "m", "count": ">8"},
]  # fmt: skip
FAILING: list[dict[str, object]] = [
    {"axes": 0}, {"count": 2}, {"crashed": "KeyError"}, {"elements": ">0"}, {"got": "nan"},
    {"oracle": "<0.5"}, {"hyper": {"lr": 0}}, {"hyper": {"eps": ">=0"}}, {"identified": "^lr"},
    {"layout": "offset"}, {"inputs": {"p": "inf"}}, {"message": "^is"}, {"relative_error": "<0.5"},
    {"tensor": "p"}, {"tensor": "m", "count": "<8"},
]  # fmt: skip


@pytest.mark.parametrize("when", HOLDING, ids=str)
def test_a_condition_holds(when: dict[str, object]) -> None:
    """All conditions of one of the tables have to hold."""
    assert holds(validated(when), CHECK)
    assert holds(validated([{"tensor": "none"}, when]), CHECK)


@pytest.mark.parametrize("when", FAILING, ids=str)
def test_a_condition_fails(when: dict[str, object]) -> None:
    """Of another group, another slot or another value no condition holds."""
    assert not holds(validated(when), CHECK)


def test_every_condition_is_tested_and_described() -> None:
    """The vocabulary of the tests is the vocabulary, and so is that of the description."""
    tested = {key for when in HOLDING + FAILING for key in when}
    assert tested == set(CONDITIONS)
    described = (sys.modules[holds.__module__].__doc__ or "").replace(",", "").split()
    assert tested <= set(described)


def test_a_crash_has_a_name_and_no_tensor() -> None:
    """Where no slot is known, any of the case's will do."""
    crashed = {**CRASHED, "worst": {"case": WORST["case"]}}
    assert holds(validated({"crashed": "KeyError", "axes": 0, "hyper": {"lr": 0}}), crashed)
    assert not holds(validated({"crashed": "IndexError"}), crashed)
    assert not holds(validated({"got": "nan"}), {**CRASHED, "worst": None})


def test_numbers_are_read_as_certificates_write_them() -> None:
    """In hex, as a name or as a number; nan is no number to compare with."""
    assert passes("inf", "-inf") and passes("nan", "nan") and passes(0, "-0x0.0p+0")
    assert not passes("<1", "nan") and not passes("finite", "inf") and not passes(1, None)
    assert passes(["nan", ">=16777216"], "0x1.0p+24") and passes(True, True)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ('checks = ["a"]\nwhen = { tensors = "p" }', "tensors"),
        ('checks = ["a"]\nwhen = { hyper = 1 }', "hyper"),
        ('checks = ["a"]\nwhen = []', "no condition"),
        ('checks = ["a"]\nwhen = { got = ">x" }', "x"),
        ('checks = ["a"]\nwhen = { message = "(" }', "unterminated"),
        ('checks = ["a"]\nwhen = {}', "no condition"),
        ('checks = ["a"]', "belong together"),
        ('when = { tensor = "p" }', "belong together"),
        ('checks = ["a", "a"]\nwhen = { tensor = "p" }', "twice"),
        ('checks = ["a/*"]\nwhen = { tensor = "p" }', "wildcard"),
        ('checks = [{ rule = "b", checks = ["c"] }]\nwhen = { tensor = "p" }', "checks has"),
        ('check = "a"', "check"),
        ('departs = ["decay"]', "field value"),
        ('versions = "2.x"', "2.x"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(entry: str, told: str, tmp_path: Path) -> None:
    """The error says which file, which finding and what."""
    file = tmp_path / "library" / "findings.toml"
    file.parent.mkdir()
    texts = "".join(
        f'{key} = "{key}"\n' for key in ("contradicts", "reproducer", "expected", "actual")
    )
    head = 'distribution = "d"\nversions = "==1"\n[[finding]]\nrule = "r"\ntitle = "A title"\n'
    file.write_text(head + texts + entry)
    with pytest.raises(ValueError, match=f"findings.toml: 'A title': .*{told}"):
        list(load(file))


def test_a_table_of_checks_is_their_product(tmp_path: Path) -> None:
    """Rows, sets and tables expand to exact ids; the values of a row keep their types."""
    file = tmp_path / "library" / "findings.toml"
    file.parent.mkdir()
    file.write_text("""\
distribution = "d"
versions = "==1"
sets.both = ["counter", "large"]
[[finding]]
each = [{ rule = "adam", name = "Adam", formats = ["float32"] }]
rule = "$rule"
title = "$name stands"
contradicts = "c"
reproducer = "steps.py $name"
expected = "e"
actual = "a"
checks = [
    { formats = "$formats", variants = ["one", "two"], checks = "both" },
    { kind = "training", rules = ["clip"], formats = ["float64"], checks = ["values"] },
    "schedule/cosine/float32/values",
]
when = { tensor = "p" }
""")
    (finding,) = load(file)
    assert finding.checks == (
        "optimizer/adam/float32/one/counter", "optimizer/adam/float32/one/large",
        "optimizer/adam/float32/two/counter", "optimizer/adam/float32/two/large",
        "training/clip/float64/values", "schedule/cosine/float32/values",
    )  # fmt: skip
    assert finding.title == "Adam stands"
    assert finding.command == "python fast/peers/reproducers/steps.py Adam"


def certificate(*checks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """What an audit reads of a certificate."""
    return {
        "backend": {"name": "lion", "spec": "my.lion"}, "environment": {"libraries": {"d": "1.0"}},
        "only": None, "level": "standard", "checks": list(checks), **fields,
    }  # fmt: skip


@pytest.mark.parametrize("found", [True, False])
def test_a_finding_that_the_processor_does_not_reach(
    found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Needs no failure; where the processor can do what is asked, it does."""
    asked = Path("/proc/cpuinfo").read_text().split()[0] if found else "no processor's"
    finding = replace(FINDING, processor=asked)
    monkeypatch.setattr(findings, "FINDINGS", (finding,))
    passing = certificate({**CHECK, "verdict": "pass"})
    told = [f"{finding.label}: explains no failure"] if found else []
    assert list(audit(passing)) == told
    assert list(audit(certificate(CHECK))) == []


FINDING = Finding(
    library="lion", distribution="d", versions="==1.0", rule="lion", title="A title",
    contradicts="", reproducer="steps.py", expected="", actual="", checks=(CHECK["id"],),
    when=({"tensor": "m"},),
)  # fmt: skip
OTHER = {**CHECK, "id": "optimizer/lion/float32/large"}


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (certificate(CHECK), []),
        (certificate(CHECK, OTHER), ["no finding explains optimizer/lion/float32/large: m is 1"]),
        (certificate({**CHECK, "verdict": "pass"}), ["explains no failure"]),
        (certificate({**CHECK, "worst": None}), ["explains no failure", "no finding explains"]),
        (certificate(OTHER, level="smoke"), ["no finding explains"]),
        (certificate(OTHER), ["there is no check", "no finding explains"]),
        (
            certificate({**CHECK, "departures": {"decay": "coupled"}}),
            ["no finding tells of the departure lion decay coupled"],
        ),
        (
            certificate(CHECK, environment={"libraries": {"d": "1.1"}}),
            ["seen in ==1.0, 1.1 was judged", "no finding explains"],
        ),
    ],
)
def test_an_audit_names_what_does_not_agree(
    document: dict[str, Any],
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Unexplained failures, findings without a failure or a check, and other versions."""
    monkeypatch.setattr(findings, "FINDINGS", (FINDING,))
    lines = list(audit(document))
    assert len(lines) == len(told)
    assert all(part in line for part, line in zip(told, lines, strict=True))
    file = tmp_path / "lion.json"
    file.write_text(json.dumps(document))
    assert findings.main([str(file)]) == bool(told)
    printed = capsys.readouterr().out
    assert all(line in printed for line in lines)


def test_findings_belong_to_one_library() -> None:
    """torch's findings are not torchao's or torch_optimizer's, whatever names the backend."""
    places = [("torch", "torch"), ("torch", "truestep.fast.peers.torch.backend:Compiled"),
              ("torch.optim", "torch"), ("x", "pkg.torch:Backend")]  # fmt: skip
    for name, spec in places:
        assert {f.library for f in findings_of(name, spec)} == {"torch"}
    for name in ("torchao", "torch_optimizer", "torch-optimizer"):
        found = findings_of(name, name)
        assert {f.library for f in found} == {name.replace("-", "_")}


def test_an_audit_names_a_departure_that_nothing_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    """A finding by which a choice is declared needs that choice among the checks."""
    departing = replace(FINDING, checks=(), when=(), departs=("decay coupled",))
    monkeypatch.setattr(findings, "FINDINGS", (departing,))
    passing = {**CHECK, "verdict": "pass"}
    (line,) = audit(certificate(passing))
    assert "nothing declares lion decay coupled" in line
    assert not list(audit(certificate({**passing, "departures": {"decay": "coupled"}})))
