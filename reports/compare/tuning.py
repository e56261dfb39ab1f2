"""Which runs a comparison makes: the same number of each rule, whatever comes out.

Nine runs tune: seven rates of a grid that is common to all, a decade apart, and half a decade to
either side of the best of them. Four fresh seeds at the best rate are judged, and nothing else is:
of the runs that tuned, the best is better than it will be again.
"""

from collections.abc import Mapping, Sequence

from truestep.reports.compare.outcome import Key, Outcome

# Exponents of the rate in halves of a decade: 1e-5 to 10.
GRID = tuple(range(-10, 3, 2))
TUNING_SEED = 0
FRESH_SEEDS = (1, 2, 3, 4)
# Runs of one rule on one problem.
RUNS = len(GRID) + 2 + len(FRESH_SEEDS)

Found = Mapping[Key, Outcome]


def grid(problem: str, rule: str) -> list[Key]:
    """The runs of the common grid."""
    return [Key(problem, rule, half, TUNING_SEED) for half in GRID]


def tuning(problem: str, rule: str, found: Found) -> list[Key]:
    """Every run that tunes, as far as known: those beside the best follow from the grid."""
    keys = grid(problem, rule)
    if all(key in found for key in keys):
        half = best(keys, found).half
        keys += [Key(problem, rule, half + side, TUNING_SEED) for side in (-1, 1)]
    return keys


def best(keys: Sequence[Key], found: Found) -> Key:
    """The run of the least loss; of equal ones, that of the least rate."""
    return min(keys, key=lambda key: (found[key].loss, key.half))


def tuned(problem: str, rule: str, found: Found) -> Key | None:
    """The best of all runs that tune, None while some are missing."""
    keys = tuning(problem, rule, found)
    return best(keys, found) if all(key in found for key in keys) else None


def fresh(problem: str, rule: str, found: Found) -> list[Key]:
    """The runs that are judged, none while the best rate is not known."""
    chosen = tuned(problem, rule, found)
    return [Key(problem, rule, chosen.half, seed) for seed in FRESH_SEEDS] if chosen else []


def due(problem: str, rule: str, found: Found) -> list[Key]:
    """The runs that can be made now and are not made yet; none once all are."""
    keys = [*tuning(problem, rule, found), *fresh(problem, rule, found)]
    return [key for key in keys if key not in found]
