"""Ranks with confidence: between which places a rule lies, at 95 % for all of them together.

Two rules are told apart by Welch's test of their losses at fresh seeds; Holm's procedure keeps the
probability that any pair is told apart wrongly below 5 %. The seeds are common to all rules, which
the test leaves out of account: it then tells fewer apart, not more. A rule's rank lies from one
more than the number of rules that are told to be better, to all but those that are told to be
worse.

S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6, 1979;
D. Al Mohamad, J. Goeman, E. van Zwet, "Simultaneous confidence intervals for ranks", 2022.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

ERROR = 0.05


@dataclass(frozen=True, slots=True)
class Place:
    """mean, spread: of the losses. rank: by the mean. best, worst: the interval of the rank."""

    mean: float
    spread: float
    rank: int
    best: int
    worst: int


def places(losses: Mapping[str, Sequence[float]]) -> dict[str, Place]:
    """By rule its place among all, from losses of which the least is best."""
    told = _told_apart(losses)
    means = {rule: float(np.mean(x)) for rule, x in losses.items()}
    order = sorted(means, key=lambda rule: means[rule])
    found = {}
    for rank, rule in enumerate(order, 1):
        better = sum(other == rule for _, other in told)
        worse = sum(other == rule for other, _ in told)
        spread = float(np.std(losses[rule], ddof=1)) if len(losses[rule]) > 1 else 0.0
        found[rule] = Place(means[rule], spread, rank, 1 + better, len(order) - worse)
    return found


def _told_apart(losses: Mapping[str, Sequence[float]]) -> list[tuple[str, str]]:
    """Pairs (better, worse) that Holm's procedure tells apart."""
    tested = sorted(
        (_probability(losses[a], losses[b]), a, b) for a, b in combinations(sorted(losses), 2)
    )
    told = []
    for i, (p, a, b) in enumerate(tested):
        if p > ERROR / (len(tested) - i):
            break
        better_first = np.mean(losses[a]) < np.mean(losses[b])
        told.append((a, b) if better_first else (b, a))
    return told


def _probability(a: Sequence[float], b: Sequence[float]) -> float:
    """Of a difference of means at least so large, were there none; 1 where it cannot be told."""
    if np.std(a) == 0 and np.std(b) == 0:
        # Runs that all ended where they began say the same for ever.
        return 1.0 if a[0] == b[0] else 0.0
    found = float(stats.ttest_ind(a, b, equal_var=False).pvalue)
    return found if np.isfinite(found) else 1.0
