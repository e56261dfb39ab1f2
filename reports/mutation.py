"""The automatic mutants on the command line: how many are killed, and which survive."""

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from fnmatch import fnmatchcase
from functools import cache, partial

from click import ClickException

from truestep.properties.museum.mutants import Mutant, homes, judged, mutants_of
from truestep.properties.museum.survivors import survivors
from truestep.reference import own
from truestep.reports import terminal

KILLED, LISTED, SURVIVES, UNREACHED = "killed", "listed", "survives", "not reached"


def show(only: str | None, seed: int, every: int) -> int:
    """Run every so many-th mutant of the modules that match, print what came of them.

    1 where one survives without a reason, or a reason is given for one that does not.
    """
    chosen = [home for home in homes() if only is None or fnmatchcase(home, only) or only in home]
    if not chosen:
        raise ClickException(f"no rule matches {only!r}; one is 'optimizer/adamw'")
    names = [name for home in chosen for name in _mutants(home)]
    made = names[::every]
    terminal.warn(f"{len(made)} mutants of {len(chosen)} modules")
    known = {name: why for name, why in survivors().items() if name.partition(" ")[0] in chosen}
    # A library's threads, such as JAX's, do not outlive a fork.
    spawned = multiprocessing.get_context("spawn")
    workers, begun = len(os.sched_getaffinity(0)), partial(own.load_same, own.specs())
    with ProcessPoolExecutor(workers, spawned, initializer=begun) as pool:
        words = pool.map(_outcome, made, [seed] * len(made), chunksize=4)
        found = dict(zip(made, words, strict=True))
    for name, word in found.items():
        if word == SURVIVES and name in known:
            found[name] = LISTED
    terminal.show_table(("kind", *_WORDS, "share killed"), _by_kind(found))
    wrong = [f"survives: {name}" for name, word in found.items() if word == SURVIVES]
    wrong += stale(known, found, set(names))
    for line in wrong:
        print(line)
    return 1 if wrong else 0


_WORDS = (KILLED, LISTED, SURVIVES, UNREACHED)


def stale(known: Mapping[str, str], found: Mapping[str, str], names: set[str]) -> Iterator[str]:
    """What is said of mutants that are not there, or that are no survivors."""
    for name in known:
        if name not in names:
            yield f"no such mutant: {name}"
        elif found.get(name, LISTED) != LISTED:
            yield f"listed as a survivor, and {found[name]}: {name}"


@cache
def _mutants(home: str) -> Mapping[str, Mutant]:
    return {mutant.name: mutant for mutant in mutants_of(home)}


def _outcome(name: str, seed: int) -> str:
    outcome = judged(_mutants(name.partition(" ")[0])[name], seed=seed)
    if outcome.killed:
        return KILLED
    return SURVIVES if outcome.reached else UNREACHED


def _by_kind(found: Mapping[str, str]) -> Sequence[tuple[str, ...]]:
    counted = Counter((name.partition("/")[0], word) for name, word in found.items())
    rows: list[tuple[str, ...]] = []
    for kind in sorted({kind for kind, _ in counted}):
        counts = [counted[kind, word] for word in _WORDS]
        share = counts[0] / max(1, counts[0] + counts[2])
        rows.append((kind, *map(str, counts), f"{share:.1%}"))
    return rows
