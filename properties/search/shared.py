"""One search for all implementations that would be given the same cases.

Drawing a case takes twice as long as judging it: what was drawn, or listed, for one implementation
is kept for the next ones.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TypeVar

from truestep.fast.protocol import Level
from truestep.properties.judge.tally import Case, Tally
from truestep.properties.search.budget import UNLIMITED, Budget
from truestep.properties.search.exploration import Drawn, Listed, explore, fails, run_all

C = TypeVar("C", bound=Case)

# Of a search the cases up to the first that failed, and what that was simplified to.
_KNOWN: OrderedDict[str, tuple[Sequence[Case], Case | None]] = OrderedDict()
_MOST_KNOWN = 64


def searched(
    source: Drawn[Case] | Listed[Case],
    alike: str,
    level: Level,
    seed: int,
    judge: Callable[[Case, Tally], None],
    started: Callable[[Case], None],
    *,
    told: bool,
    budget: Budget = UNLIMITED,
) -> Tally:
    """Try the cases of a source until one fails; alike: what says for whom they are the same.

    told: whether a failing case is simplified. budget: how many cases at the most.
    """
    if isinstance(source, Listed):
        key = f"{alike} {seed} {level if source.deep else ''}"
        if key not in _KNOWN:
            _keep(key, source.at(level)(seed), None)
        listed = _KNOWN[key][0]
        return run_all(listed[: budget.of(len(listed))], judge, started)
    examples = budget.of(source.examples[level])
    own = source.own(seed)[:examples]
    key = f"{alike} {seed} {examples}"
    if key in _KNOWN:
        known, simplest = _KNOWN[key]
        tally = run_all([*own, *known], judge, started)
        if not tally.failed and simplest is None:
            return tally
        # Where the same case fails, it is not simplified again if the simple one fails too.
        same = tally.failed and tally.examples == len(own) + len(known)
        if same and simplest is not None and fails(simplest, tally, judge, started):
            return tally
    drawn: list[Case] = []

    def noted(case: Case) -> None:
        drawn.append(case)
        started(case)

    tally = explore(
        source.strategy,
        judge,
        examples=examples,
        seed=seed,
        started=noted,
        simplified=source.simplified and told,
        first=[*own, *source.first(seed)],
    )
    if tally.failed and tally.examples <= len(own):
        return tally  # what others would be given has not been drawn
    _keep(key, drawn[len(own) : tally.examples], tally.worst_case if tally.failed else None)
    return tally


def _keep(key: str, cases: Sequence[Case], simplest: Case | None) -> None:
    _KNOWN[key] = cases, simplest
    while len(_KNOWN) > _MOST_KNOWN:
        _KNOWN.popitem(last=False)
