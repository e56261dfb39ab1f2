"""Rows of the tables of all checks: a page has tens of thousands, and a template takes too long."""

from collections.abc import Iterable
from functools import lru_cache

from markupsafe import Markup, escape

from truestep.properties.judge.results import CheckResult
from truestep.reports import numbers
from truestep.reports.counterexample import ulps
from truestep.reports.groups import anchor_of
from truestep.reports.verdicts import TOLD, VERDICTS


def rows(group: str, checks: Iterable[CheckResult]) -> Markup:
    """A row for each check, of the group with that anchor.

    Each has an address of its own; of one whose message is told, the address is the message's.
    """
    return Markup("").join([Markup(_row(group, check)) for check in checks])


def _row(group: str, check: CheckResult) -> str:
    own = anchor_of(group, check.check)
    place = "" if check.verdict in TOLD else f' id="{own}"'
    share = "–" if check.utilisation is None else numbers.percent(check.oracle_fraction)
    cells = (
        numbers.count(check.examples), numbers.percent(check.judged_fraction),
        numbers.utilisation(check.utilisation), ulps(check) or "–", share,
    )  # fmt: skip
    return (
        f'<tr{place}><th scope="row"><a href="#{own}">{_code(check.check)}</a></th>'
        f"<td>{escape(check.contract)}</td><td>{_verdict(check.verdict)}</td>"
        + "".join([f'<td class="num r">{cell.replace("<", "&lt;")}</td>' for cell in cells])
        + "</tr>\n"
    )


@lru_cache(maxsize=4096)
def _code(name: str) -> str:
    return f"<code>{escape(name)}</code>"


@lru_cache(maxsize=64)
def _verdict(name: str) -> str:
    verdict = VERDICTS[name]
    return f"{escape(verdict.symbol)}&nbsp;{escape(verdict.word)}"
