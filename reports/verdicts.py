"""What a verdict means: the one table that every count, rendering and exit status reads."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from truestep.properties.judge.results import CheckResult


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the verdict of a check is told, and what it does to its neighbours.

    word: of one check ("fails"). counted: behind a number ("3 fail"). symbol: a shape, so that
    colour carries nothing alone. tone: its class in the page's style sheet. style: its style in the
    terminal. rank: the least among several checks decides for all of them. failing: whether it
    fails the run. ran: whether the check was run.
    """

    word: str
    counted: str
    symbol: str
    tone: str
    style: str
    rank: int
    failing: bool = False
    ran: bool = True


# In the order in which they are listed. One failure fails its group; what could not be judged or
# run changes nothing for its neighbours.
VERDICTS = {
    "pass": Verdict("passes", "pass", "✓", "good", "green", rank=3),
    "fail": Verdict("fails", "fail", "✗", "bad", "bold red", rank=1, failing=True),
    "crashed": Verdict("crashed", "crashed", "!", "bad", "bold red", rank=0, failing=True),
    "not_judged": Verdict("not judged", "not judged", "?", "warn", "yellow", rank=4),
    "not_run": Verdict("not run", "not run", "○", "mute", "dim", rank=5, ran=False),
    "error": Verdict(
        "ended in an error of TrueStep", "errors of TrueStep", "‼", "warn", "bold yellow", rank=2
    ),
}

FAILING = tuple(name for name, verdict in VERDICTS.items() if verdict.failing)
# Where the extra of a failing check says why that is known, if a list does.
KNOWN = "known"
# Of which a report shows the message.
TOLD = (*FAILING, "error")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the verdict of a whole run is told, and the exit status that it gives."""

    status: int
    word: str
    symbol: str
    tone: str
    style: str


RUNS = {
    "pass": Outcome(0, "passes", "✓", "good", "bold green"),
    "fail": Outcome(1, "fails", "✗", "bad", "bold red"),
    "error": Outcome(2, "is open", "?", "warn", "bold yellow"),
}

# The verdict on a condition that a proof decides.
CONDITION = {True: "holds", False: "violated", None: "undecided"}


def of_run(verdicts: Iterable[str], *, complete: bool) -> str:
    """A run's verdict: "fail" if a check failed or crashed; "pass" if one passed and it ended.

    "error" where nothing failed and an error of the suite's own leaves a check open.
    """
    found = set(verdicts)
    if found & set(FAILING):
        return "fail"
    return "pass" if complete and "pass" in found and "error" not in found else "error"


@dataclass(frozen=True, slots=True)
class Tally:
    """What several checks come to: how many ended how, examples tried, and the largest utilisation.

    judged: the smallest fraction that was judged where a check passed or failed. The last two are
    None where no check has one.
    """

    counts: Mapping[str, int]
    examples: int
    utilisation: float | None
    judged: float | None

    @property
    def checks(self) -> int:
        """How many checks there are."""
        return sum(self.counts.values())

    @property
    def passed(self) -> int:
        """How many of them pass."""
        return self.counts["pass"]

    @property
    def verdict(self) -> str:
        """The verdict that decides for all of them."""
        return min((v for v in VERDICTS if self.counts[v]), key=lambda v: VERDICTS[v].rank)

    @property
    def ran(self) -> bool:
        """Whether any of them was run."""
        return VERDICTS[self.verdict].ran


def departures(checks: Iterable[CheckResult], findings: Iterable[Mapping[str, Any]]) -> list[str]:
    """What else is known to depart where checks pass, a line each: declared choices, and findings.

    A finding tells of the choices by which it is declared, and of what no check can reach.
    """
    unseen = [finding for finding in findings if finding.get("unseen") or finding.get("departs")]
    told = {(finding["rule"], *one.split()) for finding in unseen for one in finding["departs"]}
    declared = {
        (check.rule, field, value)
        for check in checks
        for field, value in check.departures.items()
        if VERDICTS[check.verdict].ran
    }
    lines = [": ".join(filter(None, (f["rule"], f["title"]))) for f in unseen]
    return sorted(dict.fromkeys(lines)) + [f"{r}: {f} {x}" for r, f, x in sorted(declared - told)]


def tally(checks: Iterable[CheckResult]) -> Tally:
    """Count checks."""
    found = list(checks)
    counted = Counter[str](check.verdict for check in found)
    used = [check.utilisation for check in found if check.utilisation is not None]
    judged = [check.judged_fraction for check in found if check.verdict in ("pass", "fail")]
    return Tally(
        counts={verdict: counted[verdict] for verdict in VERDICTS},
        examples=sum(check.examples for check in found),
        utilisation=max(used, default=None),
        judged=min(judged, default=None),
    )
