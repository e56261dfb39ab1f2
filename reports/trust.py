"""What a certificate says of itself, held against its checks.

Summary and verdict follow from the checks, and most of a check follows from the rest of it: the
verdict from the utilisation, that from the recorded numbers, the histogram from both. A document
that contradicts itself was not written by a run, whatever its SHA-256. What agrees may still be
invented as a whole; only a signature says by whom.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from truestep.properties.judge.results import HISTOGRAM_EDGES, SLACK, CheckResult, joined
from truestep.reports.verdicts import FAILING, VERDICTS


def contradiction(document: Mapping[str, Any], checks: Sequence[CheckResult]) -> str | None:
    """The first contradiction with its place, or None. checks: the document's."""
    return next(_contradictions(document, checks), None)


def _contradictions(document: Mapping[str, Any], checks: Sequence[CheckResult]) -> Iterator[str]:
    places: dict[str, int] = {}
    for number, check in enumerate(checks):
        place = f"checks[{number}] ({check.id})"
        if check.id in places:
            yield f"{place}: has the id of checks[{places[check.id]}]"
        places[check.id] = number
        yield from (f"{place}: {told}" for told in _of_check(check))
    verdict_of = {check.id: check.verdict for check in checks}
    for number, finding in enumerate(document["findings"]):
        for id in finding["checks"]:
            if verdict_of.get(id) not in FAILING:
                told = f"is {verdict_of[id]!r}" if id in verdict_of else "is not there"
                yield f"findings[{number}]: explains {id}, which {told}"
    shard = document.get("shard", {"index": 1, "of": 1})
    if shard["index"] > shard["of"]:
        yield f"shard: is number {shard['index']} of {shard['of']}"
    if len(checks) > shard.get("checks", len(checks)):
        yield f"shard: {len(checks)} checks of a run that has {shard['checks']}"
    if checks and document["backend"]["unavailable"] is not None:
        yield f"backend.unavailable: {len(checks)} checks of a backend that could not run"


def _of_check(check: CheckResult) -> Iterator[str]:
    parts = (check.kind, check.rule, check.format, check.variant)
    # A theorem's id leaves out what was checked.
    if check.id != (due := joined(*parts, check.check)) and check.id != joined(*parts):
        yield f"is a check of {due}"
    used, verdict = check.utilisation, check.verdict
    if used is not None and not used <= SLACK and verdict not in FAILING:
        yield f"{VERDICTS[verdict].word} with utilisation {used:g}, the limit is {SLACK:g}"
    if used is not None and not used >= 0:
        yield f"utilisation is {used:g}"
    if not check.oracle_fraction >= 0:
        yield f"oracle_fraction is {check.oracle_fraction:g}"
    if verdict == "pass" and not check.judged_fraction:
        yield "passes with nothing judged"
    # A law that is silent of one tensor is not judged, whatever it says of the others.
    silent = verdict == "not_run" or (verdict == "not_judged" and check.contract != "law")
    if silent and (check.judged_fraction or used is not None):
        yield f"{VERDICTS[verdict].word} with a fraction of {check.judged_fraction:g} judged"
    if check.judged_fraction and not check.examples:
        yield f"a fraction of {check.judged_fraction:g} judged without an example"
    if verdict == "not_run" and check.examples:
        yield f"not run with {check.examples} examples"
    yield from _of_histogram(check)
    yield from _of_worst(check)


def _of_histogram(check: CheckResult) -> Iterator[str]:
    counts = check.histogram
    if len(counts) not in (0, len(HISTOGRAM_EDGES) + 1):
        yield f"histogram has {len(counts)} counts, not {len(HISTOGRAM_EDGES) + 1}"
    elif any(counts):
        last = max(index for index, count in enumerate(counts) if count)
        used = check.utilisation
        if used is None or bisect_left(HISTOGRAM_EDGES, used) != last:
            yield f"histogram ends in bin {last}, utilisation is {used}"
        if not check.judged_fraction:
            yield f"histogram counts {sum(counts)} elements where nothing was judged"


def _of_worst(check: CheckResult) -> Iterator[str]:
    """What was recorded of the worst element: its error and utilisation follow from the rest."""
    worst = check.worst or {}
    names = ("got", "oracle", "error", "bound", "utilisation")
    if not all(name in worst for name in names):
        return
    try:
        got, oracle, error, bound, used = (_number(worst[name]) for name in names)
    except (TypeError, ValueError, OverflowError) as problem:
        yield f"worst: {problem}"
        return
    if used != check.utilisation:
        yield f"worst.utilisation is {used:g}, the check's is {check.utilisation}"
    if math.isfinite(error) and abs(got - oracle) != error:
        yield f"worst.error is {error!r}, got and oracle differ by {abs(got - oracle)!r}"
    if bound > 0 and math.isfinite(error) and error / bound != used:
        yield f"worst.utilisation is {used!r}, error over bound is {error / bound!r}"
    # Zeros of both signs are told apart where values are due bit for bit.
    signs = got == oracle == 0 and math.copysign(1, got) != math.copysign(1, oracle)
    due = (0.0, math.inf) if signs else (math.inf if error else 0.0,)
    if bound == 0 and math.isfinite(error) and used not in due:
        yield f"worst.utilisation is {used!r} at bound 0 and error {error!r}"


def _number(value: Any) -> float:
    if isinstance(value, str):
        return float.fromhex(value) if "0x" in value else float(value)
    if isinstance(value, (int, float)):
        return float(value)
    raise ValueError(f"{str(value)[:100]!r} is not a number")
