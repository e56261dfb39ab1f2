from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, get_args
from unittest import mock

import numpy as np
import pytest
from jsonschema_rs import meta

from truestep.properties.judge.results import CheckResult, Verdict
from truestep.reports import certificate, journal, strict, verdicts
from truestep.reports.certificate import BadCertificate


def test_schema_file_is_a_valid_schema() -> None:
    """The shipped schema follows the JSON Schema draft it names."""
    assert meta.is_valid(json.loads(certificate.SCHEMA_FILE.read_text()))


def test_schema_describes_every_field_of_a_result() -> None:
    """A field added to CheckResult must be added to the schema."""
    schema = json.loads(certificate.SCHEMA_FILE.read_text())
    described = set(schema["$defs"]["check"]["properties"])
    assert {field.name for field in dataclasses.fields(CheckResult)} == described


def test_results_of_every_verdict_follow_the_schema(make: Callable[..., Any], fakes: Any) -> None:
    """Small and large runs give certificates without a violation."""
    assert certificate.first_violation(make()) is None
    assert certificate.first_violation(make(fakes.large(0, faults=True))) is None


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"verdict": "fine"}, "$.verdict"),
        ({"checks": [{}]}, "$.checks[0]"),
        ({"seed": -1}, "$.seed"),
        ({"extra": 1}, "$: "),
    ],
)
def test_schema_violation_names_its_place(
    make: Callable[..., Any], change: dict[str, Any], place: str
) -> None:
    """The one line says where the document departs from the schema."""
    violation = certificate.first_violation({**make(), **change})
    assert violation is not None and violation.startswith(place)


@pytest.mark.parametrize(
    ("found", "complete", "expected"),
    [
        (["pass", "pass"], True, "pass"),
        (["pass", "not_run", "not_judged"], True, "pass"),
        (["pass", "fail"], True, "fail"),
        (["pass", "crashed"], True, "fail"),
        (["not_run"], True, "error"),
        (["not_judged"], True, "error"),
        ([], True, "error"),
        (["pass"], False, "error"),
        (["pass", "fail"], False, "fail"),
    ],
)
def test_verdict_of_a_run(found: list[str], complete: bool, expected: str) -> None:
    """Failing beats all; what was not judged or not run never makes a pass."""
    assert verdicts.of_run(found, complete=complete) == expected


def test_verdicts_are_those_that_checks_end_with() -> None:
    """The table of verdicts, the records of checks and the schema name the same ones."""
    schema = json.loads(certificate.SCHEMA_FILE.read_text())
    allowed = schema["$defs"]["check"]["properties"]["verdict"]["enum"]
    assert sorted(verdicts.VERDICTS) == sorted(get_args(Verdict)) == sorted(allowed)
    assert sorted(verdicts.RUNS) == sorted(schema["properties"]["verdict"]["enum"])


def test_certificate_survives_writing_and_reading(save: Callable[..., Path]) -> None:
    """What is read is what was built, checksum included; layout may change."""
    path = save()
    document = certificate.read(path)
    path.write_text(json.dumps(document, indent=7, sort_keys=True))
    assert certificate.read(path) == document


def test_every_edit_of_content_is_noticed(save: Callable[..., Path], fakes: Any) -> None:
    """Changing any scalar of the document breaks its SHA-256 or the schema."""
    path = save(results=[fakes.result(verdict="fail")])
    document = json.loads(path.read_text())
    edits = 0
    for key, edited in _edits(document):
        if key == "sha256":
            continue
        path.write_text(json.dumps(edited))
        with pytest.raises(BadCertificate):
            certificate.read(path)
        edits += 1
    assert edits > 60


def _edits(node: Any, root: Any = None) -> Any:
    """(key, the whole document with one scalar changed) for every scalar; changes are undone."""
    root = node if root is None else root
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        value = node[key]
        if isinstance(value, (dict, list)):
            yield from _edits(value, root)
        else:
            node[key] = _other(value)
            yield key, root
            node[key] = value


def _other(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, float):
        return math.nextafter(value, math.inf)
    return value + 1 if isinstance(value, int) else value + "x"


def test_tampering_is_reported_with_both_checksums(save: Callable[..., Path]) -> None:
    """A verdict flipped by hand is told apart from a broken file."""
    path = save()
    path.write_text(path.read_text().replace('"verdict": "fail"', '"verdict": "pass"'))
    with pytest.raises(BadCertificate, match=r"content was changed: recorded SHA-256 [0-9a-f]{16}"):
        certificate.read(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not UTF-8 at byte 0"),
        (b"[1, 2]", 'no "schema"'),
        (b"{}", 'no "schema"'),
        (b'{"schema": NaN}', "NaN is not JSON"),
        (b'{"schema": "truestep-certificate/9"}', "'truestep-certificate/9'"),
        (b'{"schema": "truestep-certificate/1"}', "is a required property"),
        (b"[" * 100_000, "not a certificate"),
        (b'{"journal": 1}\n', "line 1: changed"),
        (b'{"schema": 1, "schema": 2}', "the key 'schema' is repeated"),
        (b'{"schema": 1}' + b" " * strict.MOST_BYTES, f"more than {strict.MOST_BYTES} bytes"),
    ],
)
def test_what_is_no_certificate_is_refused_with_its_name(
    tmp_path: Path, content: bytes, message: str
) -> None:
    """The error names the file and what is wrong."""
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(BadCertificate) as caught:
        certificate.read(path)
    assert str(caught.value).startswith(str(path)) and message in str(caught.value)


def test_plain_accepts_what_checks_may_record() -> None:
    """NumPy scalars and arrays, infinities and odd keys become JSON values."""
    found = certificate.plain(
        {
            1: np.float32(0.5),
            "array": np.array([[1.0, np.inf]]),
            "nan": np.float64("nan"),
            "flag": np.bool_(True),
            "index": (np.int64(3), 4),
        }
    )
    expected = {"1": 0.5, "array": [[1.0, "inf"]], "nan": "nan", "flag": True, "index": [3, 4]}
    assert found == expected and json.loads(certificate.dumps(found)) == expected


def test_summary_counts_and_takes_the_largest_utilisation(
    make: Callable[..., Any], fakes: Any
) -> None:
    """Infinite utilisation is the string inf; verdicts add up to the number of checks."""
    results = [fakes.result("a"), fakes.result("b", verdict="fail", utilisation=math.inf)]
    summary = make(results)["summary"]
    assert summary["utilisation"] == "inf" and summary["examples"] == 400
    assert summary["checks"] == sum(summary[v] for v in verdicts.VERDICTS) == 2


def _taken(text: str) -> int:
    """Bytes of memory that a document counts for, a small one as a large one."""
    with mock.patch.object(strict, "_SMALL", 0):
        reading = strict.Reading(text)
    reading.parsed(text)
    return strict.MOST_TAKEN - reading.left


def _filled(unit: str, before: str = "") -> str:
    """Units, as many as the limit on memory lets through."""

    def taken(count: int) -> int:
        return _taken(f"[{before}{','.join([unit] * count)}]")

    each = (taken(20) - taken(10)) / 10
    bytes_left = strict.MOST_TAKEN - taken(10) - (1 << 18)
    return before + ",".join([unit] * int(10 + bytes_left / each))


def _listed(items: Iterable[str]) -> str:
    return f"[{','.join(items)}]"


def _object(names: str, value: str) -> str:
    return "{" + ",".join(f'"{name}":{value}' for name in names) + "}"


# What is refused for its shape once it is read, up to the limit.
HEAVY: dict[str, Callable[[], str]] = {
    "objects": lambda: "{}," * 400_000 + "{}",
    "lists": lambda: "[]," * 400_000 + "[]",
    "chains": lambda: _filled(20 * '{"a":' + "1.5" + 20 * "}"),
    "chains of lists": lambda: _filled(20 * "[" + "1.5" + 20 * "]"),
    "pairs": lambda: _filled('{"a":{"a":1}}'),
    "pairs and text": lambda: _filled('{"a":{"a":1}}', ('"' + "x" * 900_000 + '",') * 18),
    "numbers": lambda: _filled(_listed(["1.5"] * 9_000)),
    "words": lambda: _filled(_listed(f'"{n}"' for n in range(10, 99))),
    "escapes": lambda: _filled(_listed(['"\\u0100"'] * 9)),
    "names": lambda: ",".join(f'{{"k{n}":"v{n}"}}' for n in range(400_000)),
    "text": lambda: '"' + "x" * (strict.MOST_BYTES - 1000) + '"',
    "members": lambda: "{" + ",".join(f'"k{n}":1.5' for n in range(900_000)) + "}",
    "columns": lambda: ",".join(
        ["{" + ",".join(f'"k{n}":{n}.5' for n in range(4_000)) + "}"] * 290
    ),
    "six": lambda: _filled(_object("abcdef", "1.5")),
    "eleven": lambda: _filled(_object("abcdefghijk", '"word"')),
    "halves": lambda: _filled('{"a":{"a":1}}', '"\\ud800",'),
    "foreign text": lambda: ",".join(['"\U0001f600"'] * 500_000),
}


def _read_in_a_process_of_its_own(path: Path) -> list[str]:
    """The largest memory in megabytes, and why the file is refused."""
    code = (
        "import sys, pathlib\n"
        "from truestep.reports import certificate\n"
        "try:\n"
        "    certificate.read(pathlib.Path(sys.argv[1]))\n"
        "except certificate.BadCertificate as error:\n"
        "    peak = next(x for x in open('/proc/self/status') if x.startswith('VmHWM'))\n"
        "    print(int(peak.split()[1]) // 1024)\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is Linux's to tell")
@pytest.mark.parametrize("name", HEAVY)
def test_a_file_made_to_take_memory_is_refused_below_200_megabytes(
    tmp_path: Path, name: str
) -> None:
    """The whole process that reads it, modules included."""
    path = tmp_path / "x.json"
    document = f'{{"schema": "{certificate.SCHEMA}", "checks": [{HEAVY[name]()}]}}'
    path.write_text(document, encoding="utf-8")
    peak, told = _read_in_a_process_of_its_own(path)
    assert 40 < int(peak) < 200
    assert ("MB of memory" in told) <= (name in ("names", "members")), told


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is Linux's to tell")
@pytest.mark.parametrize("unit", ['{"k%d":{"a":1}}', '{"id":"x%d","a":[{},{}]}', '{"id":["%d"]}'])
def test_so_is_a_journal(tmp_path: Path, unit: str) -> None:
    """Its lines are documents of their own, each small."""
    path = tmp_path / "x.partial.jsonl"
    seal, number = "", 0
    lines: list[str] = []
    records: list[dict[str, Any]] = [{"journal": journal.MARK, "header": {}}]
    bytes_left = strict.MOST_TAKEN - (1 << 20)
    while bytes_left > 0:
        for record in records:
            seal = journal._sealed(seal, record)
            lines.append(json.dumps({**record, "seal": seal}) + "\n")
            bytes_left -= _taken(lines[-1])
        listed = [json.loads(unit % (number % 4000 + n)) for n in range(100)]
        records, number = [{"check": {"id": str(number), "extra": {"a": listed}}}], number + 1
    path.write_text("".join(lines))
    peak, told = _read_in_a_process_of_its_own(path)
    assert 40 < int(peak) < 200
    assert "MB of memory" not in told, told


@pytest.mark.parametrize(
    ("count", "verdict", "length", "kept"),
    [
        (1000, "pass", 3000, True), (1001, "pass", 3000, False), (1001, "pass", 3, True),
        (1001, "fail", 3000, True),
    ],
)  # fmt: skip
def test_among_many_a_long_case_is_kept_where_it_fails(
    make: Callable[..., Any], fakes: Any, count: int, verdict: str, length: int, kept: bool
) -> None:
    """Of many tensors, that pass, no case: their seed draws it again; a short one stays."""
    worst = {"case": {"text": "x" * length}, "tensor": "p"}
    results = [fakes.result(f"{i}", verdict=verdict, worst=worst) for i in range(count)]
    made = make(results)
    for check in made["checks"]:
        assert ("case" in check["worst"]) == kept
        assert check["worst"]["tensor"] == "p"


@pytest.mark.parametrize(("length", "program"), [(30, "case(...)"), (5000, "--check")])
def test_a_long_program_is_named(fakes: Any, length: int, program: str) -> None:
    """The case stands in the record: the message says how it is run again."""
    message = f"p is wrong\n  reproduce:\n    case(...){length * ' '}"
    told = certificate.recorded(fakes.result("a", verdict="fail", message=message))["message"]
    assert told.startswith("p is wrong\n  reproduce:\n") and program in told
