"""The automatic mutants on the command line: how many are killed, and which survive."""

import os
import signal
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from fnmatch import fnmatchcase
from types import FrameType

from click import ClickException

from truestep.properties.museum.mutants import Mutant, judged, mutants
from truestep.reference.tables import RULES
from truestep.reports import terminal

# Seconds after which a mutant hangs, which is noticed.
_PATIENCE = 120
KILLED, SURVIVES, UNREACHED = "killed", "survives", "not reached"


def show(only: str | None, seed: int) -> int:
    """Run every mutant of the rules that match, print what came of them; 1 if one survives."""
    rules = [
        (kind, rule)
        for kind, table in RULES.items()
        for rule in table
        if only is None or fnmatchcase(f"{kind}/{rule}", only) or only in f"{kind}/{rule}"
    ]
    if not rules:
        raise ClickException(f"no rule matches {only!r}; one is 'optimizer/adamw'")
    made = [mutant for kind, rule in rules for mutant in mutants(kind, rule)]
    terminal.warn(f"{len(made)} mutants of {len(rules)} rules")
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(_outcome, made, [seed] * len(made), chunksize=4))
    terminal.show_table(
        ("kind", KILLED, SURVIVES, UNREACHED, "share killed"), _by_kind(made, found)
    )
    survivors = [mutant.name for mutant, word in zip(made, found, strict=True) if word == SURVIVES]
    for name in survivors:
        print(f"survives: {name}")
    return 1 if survivors else 0


def _outcome(mutant: Mutant, seed: int) -> str:
    def hangs(number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, hangs)
    signal.alarm(_PATIENCE)
    try:
        outcome = judged(mutant, seed=seed)
    except TimeoutError:
        return KILLED
    finally:
        signal.alarm(0)
    if outcome.killed is not None:
        return KILLED
    return SURVIVES if outcome.reached else UNREACHED


def _by_kind(made: Sequence[Mutant], found: Sequence[str]) -> list[tuple[str, ...]]:
    counted = Counter((mutant.kind, word) for mutant, word in zip(made, found, strict=True))
    rows: list[tuple[str, ...]] = []
    for kind in sorted({mutant.kind for mutant in made}):
        killed, survive, missed = (counted[kind, x] for x in (KILLED, SURVIVES, UNREACHED))
        share = f"{killed / max(1, killed + survive):.1%}"
        rows.append((kind, str(killed), str(survive), str(missed), share))
    return rows
