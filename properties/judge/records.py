"""The record and the message of a check, made from its tally: one form for every kind of check."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from truestep.properties.judge.contracts import Judgement
from truestep.properties.judge.results import REPRODUCE, SLACK, Check, CheckResult, Record, Verdict
from truestep.properties.judge.tally import Case, Tally
from truestep.reference import own

# Stands in a message for what the backend was loaded by, which a check does not know.
_SPEC = "BACKEND"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worst element stands, as its kind of check tells it.

    words: what comes before "is ..., due is ..." ("m[3]"). record: what the certificate keeps
    beside the numbers. lines: further lines of the message.
    """

    words: str
    record: Record = field(default_factory=dict)
    lines: Sequence[str] = ()


def within(index: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether an array of that shape has an element there."""
    return len(index) == len(shape) and all(i < n for i, n in zip(index, shape, strict=True))


def result_of(
    check: Check,
    tally: Tally,
    seconds: float,
    *,
    contract: str,
    place: Callable[[Tally], Place],
    remarks: Sequence[str] = (),
    identified: str = "",
) -> CheckResult:
    """The record of a check from its tally.

    place(tally): of the worst element, asked for only where there is one. remarks: lines about the
    check as a whole, which a failing one's message ends with, before the snippet that reproduces
    it. identified: the dialect or rule that a failing kernel computes instead.
    """
    verdict: Verdict
    if tally.failed:
        verdict = "crashed" if tally.crashed else "fail"
    else:
        # A law that says nothing of one of its tensors is not one that holds.
        silent = contract == "law" and not all(tally.by_tensor.values())
        verdict = "pass" if tally.judged and not silent else "not_judged"
    where = None if tally.worst is None or tally.worst_case is None else place(tally)
    return replace(
        check.result(verdict, contract=contract, worst=_worst(tally, where)),
        examples=tally.examples,
        judged_fraction=tally.judged / tally.elements if tally.elements else 0.0,
        utilisation=tally.utilisation,
        oracle_fraction=tally.oracle_fraction,
        histogram=tuple(int(n) for n in tally.histogram),
        message=_message(check, tally, where, remarks) if tally.failed else "",
        seconds=seconds,
        identified=identified,
        extra=tally.extra,
    )


def _worst(tally: Tally, where: Place | None) -> Record | None:
    if tally.worst_case is None:
        return None
    record: dict[str, object] = {"case": tally.worst_case.to_json()}
    if tally.worst is None or where is None:
        return record
    j = tally.worst.judgement
    return record | {
        "tensor": tally.worst.tensor,
        **where.record,
        "got": float(j.got).hex(),
        "oracle": float(j.oracle).hex(),
        "got_decimal": repr(float(j.got)),
        "oracle_decimal": repr(float(j.oracle)),
        "error": abs(j.got - j.oracle),
        "bound": j.bound,
        "utilisation": j.utilisation,
    }


def worst_lines(subject: str, words: str, j: Judgement) -> list[str]:
    """What a message says of the numbers of a worst element."""
    got, due = float(j.got), float(j.oracle)
    return [
        f"{subject}: {words} is {got!r}, due is {due!r}",
        f"  got {got.hex()}  oracle {due.hex()}",
        f"  error {abs(j.got - j.oracle):.4g}  bound {j.bound:.4g}  utilisation "
        f"{j.utilisation:.4g} (passes up to {SLACK:g})",
    ]


def _message(check: Check, tally: Tally, where: Place | None, remarks: Sequence[str]) -> str:
    formats = ", ".join(x for x in (check.capability.format, check.capability.variant) if x)
    subject = f"{check.rule} ({formats})"
    if tally.worst is None or where is None:
        lines = [f"{subject}: {tally.message}"]
    else:
        lines = worst_lines(subject, where.words, tally.worst.judgement)
        lines += [f"  {line}" for line in where.lines]
    lines += [f"  {line}" for line in remarks]
    if tally.worst_case is not None:
        lines += snippet(check.id, tally.worst_case.to_json())
    return "\n".join(lines)


def crashed(check: Check, case: Case | None, reason: str) -> CheckResult:
    """The record of a check whose backend died or hung, with the case that it was at."""
    line = f"{check.capability.rule} ({check.capability.format}): {reason}"
    if case is None:
        return check.result("crashed", message=line)
    record = case.to_json()
    message = "\n".join([line, *snippet(check.id, record)])
    return check.result("crashed", message=message, worst={"case": record})


def snippet(check: str, case: Record) -> list[str]:
    """The lines of a message that run a recorded case again."""
    return [
        REPRODUCE,
        "    from truestep.properties.run.replay import case",
        f"    case({_SPEC}, {check!r}, {json.dumps(case)!r}{_rules(check)})",
    ]


def _rules(check: str) -> str:
    """Of a check of a rule of one's own, what loads that."""
    rule = own.OWN.get(check.split("/")[1])
    return f", rules={[rule.spec]!r}" if rule else ""


def named(result: CheckResult, spec: str) -> CheckResult:
    """The result with its snippet naming what the backend was loaded by."""
    return replace(result, message=result.message.replace(f"case({_SPEC}, ", f"case({spec!r}, "))


def law_line(statement: str | None) -> str:
    """The remark that states a law, given its docstring or one line of words."""
    return f"the law: {(statement or '').strip()}"
