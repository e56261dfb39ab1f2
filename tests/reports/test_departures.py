"""Departures: a backend passes but for them, each is told, and --strict fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from truestep.fast.discovery import BrokenBackend, check
from truestep.fast.peers.findings import Finding
from truestep.fast.protocol import Capability
from truestep.properties.judge.results import departures
from truestep.reports import certificate, page, verdicts
from truestep.reports.html import html
from truestep.reports.markdown import markdown

Call = Callable[..., Any]

LBFGS = Capability("minimizer", "lbfgs", dialect={"accept": "always", "gamma": "one"})
PRODIGY = Capability("optimizer", "prodigy", dialect={"guard": "none", "decay": "coupled"})
ADAM = Capability("optimizer", "adam", dialect={"decay": "before"})
FINDING = Finding(
    library="cpu", distribution="numpy", versions=">=1", rule="lion", title="It forgets",
    contradicts="", reproducer="steps.py", expected="a", actual="b", departs=("decay coupled",),
)  # fmt: skip


@pytest.mark.parametrize(
    ("capability", "due"),
    [
        # The table marks them; what else differs is a dialect.
        (LBFGS, {"accept": "always"}),
        (PRODIGY, {"guard": "none"}),
        (ADAM, {}),
        # The adapter names one that other libraries document, or documents one of its own.
        (replace(ADAM, departures=("decay",)), {"decay": "before"}),
        (replace(PRODIGY, documented=("guard",)), {}),
        (replace(PRODIGY, documented=("decay",)), {"guard": "none"}),
        # A theorem's capability, of a rule that no table has.
        (Capability("optimizer", "unheard_of", dialect={"a": "b"}), {}),
    ],
)
def test_what_nothing_promises_is_a_departure(capability: Capability, due: dict[str, str]) -> None:
    """By the rule's table or by the adapter, whatever the dialect is called."""
    assert departures(capability) == due


@pytest.mark.parametrize("field", ["departures", "documented"])
@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (("decays",), "departure 'decays' is not one of: decay"),
        ("decay", "must be a tuple of names, got 'decay'"),
    ],
)
def test_a_departure_is_a_choice_of_the_dialect(field: str, declared: Any, told: str) -> None:
    """What is no field of the declared dialect is refused, and the fields are named."""

    class Backend:
        name = "x"

        def capabilities(self) -> list[Capability]:
            return [replace(ADAM, **{field: declared})]

        def optimizer_step(self) -> None:
            """Never called."""

    with pytest.raises(BrokenBackend, match=told):
        check(Backend(), "x")


@pytest.fixture
def departing(fakes: Any) -> list[Any]:
    """Two rules that pass, one with a departure that a finding tells of and one that none does."""
    return [
        fakes.result("lion", departures={"decay": "coupled"}),
        fakes.result("lamb", departures={"clip": "below_1"}),
        fakes.result("sgd", verdict="not_run", departures={"decay": "decoupled"}),
    ]


def test_a_certificate_counts_departures_once(make: Call, departing: list[Any]) -> None:
    """Findings that no check shows, and choices that no finding tells of; not what was not run."""
    shown = {"departs": ["decay coupled"], "unseen": True, "checks": []}
    finding = {**dict.fromkeys(("library", "versions", "contradicts", "reproducer"), ""), **shown}
    finding |= {"expected": "", "actual": "", "rule": "lion", "title": "It forgets"}
    unreached = {**finding, "rule": "", "title": "Beyond", "departs": []}
    failing = {**unreached, "title": "Seen", "unseen": False}
    document = make(departing, findings=[finding, unreached, failing])
    results = [certificate.result(each) for each in document["checks"]]
    assert verdicts.departures(results, document["findings"]) == [
        "Beyond", "lion: It forgets", "lamb: clip below_1",
    ]  # fmt: skip
    assert document["summary"]["departures"] == 3 and document["verdict"] == "pass"
    certificate.checked(document)
    built = page.build([document])
    assert "but for 3 departures" in built.headline
    assert "<li>lamb: clip below_1</li>" in html(built)
    assert "- Departure: lamb: clip below\\_1" in markdown(built)
    document["summary"]["departures"] = 2
    document["sha256"] = certificate.checksum(document)
    with pytest.raises(ValueError, match=r"summary.departures is 2, its checks give 3"):
        certificate.checked(document)


def test_strict_fails_for_a_departure_alone(
    truestep: Call, runner: Any, departing: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 0 without --strict and 1 with it; every departure is a line of the terminal."""
    monkeypatch.setattr("truestep.fast.peers.findings.FINDINGS", (FINDING,))
    runner.results = departing
    for asked, due in ((), 0), (("--strict",), 1):
        status, out, _ = truestep("certify", "cpu", *asked)
        assert status == due
        assert "Departure: lion: It forgets" in out and "Departure: lamb: clip below_1" in out
    monkeypatch.setattr("truestep.fast.peers.findings.FINDINGS", ())
    runner.results = [replace(each, departures={}) for each in departing]
    assert truestep("certify", "cpu", "--strict", "--force")[0] == 0
