"""Verdicts in plain words."""

from collections.abc import Sequence

from truestep.properties.judge.results import CheckResult
from truestep.properties.run import conduct
from truestep.reports import numbers, verdicts
from truestep.reports.certificate import Record


def sentence(
    backend: Record,
    checks: Sequence[CheckResult],
    *,
    complete: bool,
    departures: int = 0,
    part: str = "",
    expired: Sequence[str] = (),
) -> str:
    """The verdict on a backend, one sentence or two; departures: how many are known.

    part: of which part of a run it is, as `shard` tells it. expired: what has changed since then.
    """
    name, counted = backend["name"], verdicts.tally(checks).counts
    if reason := backend["unavailable"]:
        return f"{name} was not run: {reason}."
    of_rules = [check for check in checks if check.kind != conduct.KIND]
    failed, crashed, passing = (
        sorted({_what(check) for check in of_rules if check.verdict == verdict})
        for verdict in ("fail", "crashed", "pass")
    )
    total = counted["fail"] + counted["crashed"] + counted["pass"]
    of_all = f"of {numbers.plural(total, 'check')}"
    number = numbers.count(counted["crashed"])
    if counted["fail"]:
        # What it leaves behind in its process is no rule's.
        what = f"compute {_listed(failed)} as defined" if failed else "leave its process as it was"
        text = (
            f"{name} does not {what}: {numbers.count(counted['fail'])} {of_all} "
            f"{'fails' if counted['fail'] == 1 else 'fail'}"
            f"{f', {number} crashed' if crashed else ''}.{_known(checks)}"
        )
    elif crashed:
        text = f"{name} crashed on {_listed(crashed)}, in {number} {of_all}.{_known(checks)}"
    elif counted["error"]:
        text = (
            f"{numbers.plural(counted['error'], 'check')} of {name} ended in an error of TrueStep "
            "itself, which says nothing about it. Please report it."
        )
    elif not passing:
        text = f"Nothing of {name} was judged, so nothing is known about it."
    elif complete and not part:
        what = f"all {len(passing)} rules" if len(passing) > 1 else passing[0]
        but = f", but for {numbers.plural(departures, 'departure')}" if departures else ""
        text = f"{name} computes {what} to the accuracy its arithmetic allows{but}."
    else:
        text = f"{numbers.plural(total, 'check')} of {name} passed and none failed."
    why = [
        *([] if complete else ["The run was stopped before its end"]),
        *([f"These are the checks of {part} alone"] if part else []),
    ]
    if why:
        text = f"{text} {'. '.join(why)}: this is not a certificate of the whole."
    return f"{text} It has expired: {'; '.join(expired)}." if expired else text


def _what(check: CheckResult) -> str:
    """What a check is of, in the verdict's sentence."""
    return f"lives of {check.rule}s" if check.kind == "life" else check.rule


def shard(document: Record) -> str:
    """Of which part of a run a certificate is ("shard 3 of 7"), "" of a whole one."""
    found = document.get("shard")
    return f"shard {found['index']} of {found['of']}" if found else ""


def _known(checks: Sequence[CheckResult]) -> str:
    """How many of the failures a list has, as a sentence that follows; "" where none."""
    failing = [check for check in checks if check.verdict in verdicts.FAILING]
    if not (listed := sum(verdicts.KNOWN in check.extra for check in failing)):
        return ""
    if listed == len(failing):
        return " That is listed as known." if listed == 1 else " All of them are listed as known."
    return f" {numbers.count(listed)} of them {'is' if listed == 1 else 'are'} listed as known."


def headline(backends: Sequence[tuple[str, bool]]) -> str:
    """The verdict on backends, each given as its sentence and whether it passes."""
    if len(backends) == 1:
        return backends[0][0]
    passing = sum(passes for _, passes in backends)
    if passing == len(backends):
        return f"All {passing} backends compute what they offer as defined."
    if not passing:
        return f"None of {len(backends)} backends passes."
    return f"{passing} of {len(backends)} backends {'passes' if passing == 1 else 'pass'}."


def _listed(items: Sequence[str], most: int = 3) -> str:
    """Names in prose: "a", "a and b", "a, b and c", "a, b, c and 4 other rules"."""
    if len(items) > most + 1:
        return f"{', '.join(items[:most])} and {len(items) - most} other rules"
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))
