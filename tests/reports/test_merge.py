"""Shards of a run, merged: the certificate of one machine, or a refusal with the value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from truestep.properties.museum import FAULTS
from truestep.properties.run import conduct, pool
from truestep.properties.run.shards import Shard, fingerprint
from truestep.reports import certificate, judged, settled
from truestep.reports.certificate import Certificate, read
from truestep.reports.merge import merged, seconds_of, substance

Call = Callable[..., tuple[int, str, str]]
MISBEHAVING = Path(__file__).parents[1] / "properties" / "run" / "misbehaving.py"
# Of a kernel with a fault, checks that find it, simplify and identify it, and others.
ONLY = "*[cz]*o*"


def run(part: Shard | None = None) -> Certificate:
    """What a machine finds of a kernel with a fault."""
    kernel = FAULTS["adamw_decay_ignored"].backend()
    return judged.run_here(kernel, ONLY, "smoke", 0, workers=1, part=part).certificate


@pytest.fixture(scope="module")
def whole() -> Certificate:
    """One machine's."""
    found = run()
    assert found["summary"]["fail"] and found["summary"]["pass"]
    return found


def of_shard(index: int, of: int) -> Certificate:
    """A shard's, as its file would hold it."""
    document = {**run(Shard(index, of)), "shard": {"index": index, "of": of}}
    return {**document, "sha256": certificate.checksum(document)}


@pytest.fixture(scope="module")
def three() -> Mapping[str, Certificate]:
    """Three shards of it."""
    return {f"{index}.json": of_shard(index, 3) for index in (1, 2, 3)}


def test_shards_merged_equal_one_machine(
    whole: Certificate, three: Mapping[str, Certificate]
) -> None:
    """Bit for bit but for times, whatever the order of the files; counterexamples too."""
    for order in (list(three), list(three)[::-1]):
        found = merged({name: three[name] for name in order}).certificate
        assert substance(found) == substance(whole)
        assert certificate.checked(found)


def test_what_is_left_out_of_the_comparison_is_times_alone(whole: Certificate) -> None:
    """A changed verdict, version or counterexample makes two certificates differ."""
    assert substance({**whole, "created": "x", "seconds": 9.0}) == substance(whole)
    for name in whole.keys() - {"created", "seconds", "sha256"}:
        assert substance({**whole, name: {"checks": [], "environment": {}}.get(name)}) != substance(
            whole
        )
    first, *others = whole["checks"]
    assert substance({**whole, "checks": [{**first, "seconds": 9.0}, *others]}) == substance(whole)
    assert substance({**whole, "checks": [{**first, "message": "x"}, *others]}) != substance(whole)


def changed(document: Certificate, **fields: Any) -> Certificate:
    """A certificate with some members changed."""
    return {**document, **fields}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 1}, "seed is 0 in 1.json and 1 in 2.json"),
        ({"level": "deep"}, "level is 'smoke' in 1.json and 'deep' in 2.json"),
        ({"only": None}, f"only is {ONLY!r} in 1.json and None in 2.json"),
        ({"suite": {"version": "9", "commit": None}}, "suite is "),
        ({"backend": {"name": "x", "spec": "x", "unavailable": None}}, "backend is "),
        ({"shard": {"index": 2, "of": 4}}, "shard.of is 3 in 1.json and 4 in 2.json"),
        ({"shard": {"index": 1, "of": 3}}, "overlap: 1.json and 2.json are shard 1/3"),
        ({"complete": False}, "2.json: of an unfinished run"),
    ],
)
def test_shards_of_different_runs_are_refused(
    three: Mapping[str, Certificate], change: dict[str, Any], told: str
) -> None:
    """With the value of each."""
    with pytest.raises(ValueError) as error:
        merged({**three, "2.json": changed(three["2.json"], **change)})
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("where", "value", "told"),
    [("libraries", {"numpy": "1.0"}, "numpy is "), ("cpu", "another", "cpu is ")],
)
def test_shards_of_different_machines_are_refused(
    three: Mapping[str, Certificate], where: str, value: object, told: str
) -> None:
    """Versions and hardware decide verdicts; the number of processors does not."""
    there = three["2.json"]["environment"]
    with pytest.raises(ValueError, match=told):
        merged({**three, "2.json": changed(three["2.json"], environment={**there, where: value})})
    fewer = changed(three["2.json"], environment={**there, "threads": 999})
    assert merged({**three, "2.json": fewer}).certificate["complete"]


def test_gaps_and_overlaps_are_refused(three: Mapping[str, Certificate]) -> None:
    """A shard that is missing, a check that no shard has, and one that two have."""
    with pytest.raises(ValueError, match="gap: no certificate of shard 2 of 3"):
        merged({name: three[name] for name in ("1.json", "3.json")})
    second = three["2.json"]
    twice = changed(second, checks=[*second["checks"], three["1.json"]["checks"][0]])
    with pytest.raises(ValueError, match=r"overlap: .*/.* is in 1.json and 2.json"):
        merged({**three, "2.json": twice})
    ids = [check["id"] for each in three.values() for check in each["checks"]]
    plan = {"checks": len(ids), "plan": fingerprint(ids)}
    planned = {name: changed(each, shard={**each["shard"], **plan}) for name, each in three.items()}
    assert merged(planned).certificate["complete"]
    fewer = changed(planned["2.json"], checks=second["checks"][1:])
    with pytest.raises(ValueError, match=f"hold {len(ids) - 1} of the run's {len(ids)} checks"):
        merged({**planned, "2.json": fewer})


def test_a_whole_run_is_no_shard(whole: Certificate) -> None:
    """And so are two of them."""
    with pytest.raises(ValueError, match=r"a.json: is of no shard"):
        merged({"a.json": whole})


def test_seconds_of_a_certificate_balance_the_next(whole: Certificate) -> None:
    """Those of checks that were run."""
    found = seconds_of(whole)
    assert found == {c["id"]: c["seconds"] for c in whole["checks"] if c["verdict"] != "not_run"}


def crash(fakes: Any, check: str, *, lost: bool, left: tuple[str, ...] = ()) -> Any:
    """A result of a check whose call has lost its process, or left something changed."""
    extra = {
        **({"call_lost": True} if lost else {}),
        **({"calls_left": list(left)} if left else {}),
    }
    verdict = "crashed" if lost else "pass"
    return certificate.plain(fakes.result(check=check, verdict=verdict, extra=extra).to_json())


def test_what_is_given_up_does_not_depend_on_who_was_first(fakes: Any) -> None:
    """After two crashes of a capability, in the order of ids, its other checks are not run."""
    found = [crash(fakes, name, lost=name in "bdf") for name in "fedcba"]
    due = {"a": "pass", "b": "crashed", "c": "pass", "d": "crashed", "e": "not_run", "f": "not_run"}
    done = settled.settled(found)
    assert {check["check"]: check["verdict"] for check in done} == due
    assert settled.settled(done[::-1]) == done
    assert done[-1]["message"] == pool.GIVEN_UP


def test_the_conduct_of_all_parts_is_one_check(fakes: Any) -> None:
    """What calls left changed in any of them, and what processes left behind, in one order."""
    parts = [
        [crash(fakes, "a", lost=False, left=("rounding",)), crash(fakes, "b", lost=False)],
        [crash(fakes, "c", lost=False)],
    ]
    behind: list[list[str]] = [[], ["a process that it has started: sleep"]]
    conducts = [
        certificate.plain(conduct.concluded(conduct.check(), len(part), [], left).to_json())
        for part, left in zip(parts, behind, strict=True)
    ]
    *_, whole = settled.settled([*parts[1], conducts[1], *parts[0], conducts[0]])
    assert (whole["verdict"], whole["examples"]) == ("fail", 3)
    assert "left changed: 2" in whole["message"] and "rounding: optimizer/" in whole["message"]
    assert "sleep" in whole["message"]


def test_merge_on_the_command_line(
    truestep: Call, three: Mapping[str, Certificate], whole: Certificate
) -> None:
    """The verdict's exit status; a refusal is one line and writes nothing."""
    for name, document in three.items():
        Path(name).write_text(certificate.written(document))
    status, out, _ = truestep("merge", "1.json", "2.json", "3.json", "--out", "o")
    [path] = Path("o").glob("*.json")
    assert status == 1 and substance(read(path)) == substance(whole) and out.strip()
    status, _, err = truestep("merge", "1.json", "3.json", "--out", "p")
    assert status == 2 and "gap" in err and len(err.splitlines()) == 1 and not Path("p").exists()


def test_a_shard_is_told_to_be_a_part(truestep: Call, three: Mapping[str, Certificate]) -> None:
    """By verify, report and diff."""
    for name, document in three.items():
        Path(name).write_text(certificate.written(document))
    assert "shard 1 of 3 of a run" in truestep("verify", "1.json")[1]
    truestep("report", "1.json", "--out", "r")
    text = Path("r/report.md").read_text()
    assert "shard 1 of 3" in text and "Not a certificate of the whole".lower() in text.lower()
    assert "shard: shard 1 of 3 → shard 2 of 3" in truestep("diff", "1.json", "2.json")[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--shard", "8/7"], "got 8/7"),
        (["--shard", "3"], "'3' is not of the form i/n"),
        (["--shard", "a/b"], "'a/b' is not of the form i/n"),
        (["--shard", "1/2", "--fail-fast"], "--fail-fast"),
        (["--costs", "x.json"], "--costs x.json"),
        (["--needs", "cpu/* CPU=1"], "--needs"),
    ],
)
def test_shards_that_make_no_sense_are_refused(
    truestep: Call, arguments: list[str], told: str
) -> None:
    """In one line with the value."""
    status, _, err = truestep("certify", "cpu", *arguments)
    assert status == 2 and told in err and len(err.splitlines()) == 1


@pytest.mark.power
def test_seven_shards_of_a_crashing_backend_equal_one_machine(truestep: Call) -> None:
    """On the command line, in processes: what crashes, what is given up, and the conduct too."""
    chosen = ("--only", "optimizer/*o*", "--level", "smoke", "-n", "1", "--out", "o")
    spec = f"{MISBEHAVING}:Fragile"
    assert truestep("certify", spec, *chosen)[0] == 1
    [path] = Path("o").glob("*.json")
    for index in range(1, 8):
        assert truestep("certify", spec, *chosen, "--shard", f"{index}/7", "--costs", path)[0] < 2
    status, _, _ = truestep("merge", *sorted(Path("o").glob("*-of-7.json")), "--out", "m")
    [found] = Path("m").glob("*.json")
    document = read(path)
    assert status == 1 and document["summary"]["not_run"] and document["summary"]["crashed"] > 1
    assert substance(read(found)) == substance(document)
