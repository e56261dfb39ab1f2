"""How often theorems fail a correct kernel: runs with fresh seeds, counted.

python -m truestep.properties.kinds.theorem.false_alarms [--runs N] [--minutes M] [--level Q]

Theorems in which nothing is random are run once. At a level like 0.05 alarms show whether levels
are what they say; at the level of a test run there has to be none.
"""

import argparse
import sys
import time

import numpy as np
from scipy.special import bdtrc

from truestep.fast.ours import cpu
from truestep.properties.kinds.theorem.theorems.kernels import Implementation, reference
from truestep.properties.kinds.theorem.theorems.table import LEVEL, THEOREMS
from truestep.properties.kinds.theorem.theorems.theorem import Theorem, Trial

# A count of alarms that is rarer than this at the stated level shows that the level is not kept.
RARE = 1e-6


def its_reference(theorem: Theorem) -> Implementation:
    """The reference of the rule that a theorem speaks of, in a form that it speaks of.

    Of states kept as codes, which no reference has, our kernel.
    """
    subject = theorem.subject
    if subject.codes:
        kernels = cpu.Backend()
        return Implementation(kernels, next(filter(subject.suits, kernels.capabilities())))
    dialect = {name: values[0] for name, values in subject.dialect.items()}
    return reference(subject.rule, subject.kind, **dialect)


def fails(theorem: Theorem, seed: int, level: float) -> bool:
    """Whether the experiment fails the reference."""
    with np.errstate(all="ignore"):
        found = theorem.experiment(its_reference(theorem), Trial(seed, level))
    return not found.statistic <= 1


def too_many(count: int, runs: int, level: float) -> bool:
    """Whether so many alarms are rarer than RARE where each has at most this probability."""
    return count > 0 and float(bdtrc(count - 1, runs, level)) < RARE


def main() -> int:
    """Print the alarms of every theorem; 1 where they are too many for the level."""
    parser = argparse.ArgumentParser(description="False alarms of theorems, counted.")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=60.0, help="no run begins after these")
    parser.add_argument("--level", type=float, default=LEVEL)
    parser.add_argument("--seed", type=int, default=1_000_000, help="of the first run")
    given = parser.parse_args()
    random = [theorem for theorem in THEOREMS.values() if theorem.random]
    count = {t.name: int(fails(t, given.seed, given.level)) for t in THEOREMS.values()}
    runs, end = 1, time.monotonic() + 60 * given.minutes
    while runs < given.runs and time.monotonic() < end:
        for theorem in random:
            count[theorem.name] += fails(theorem, given.seed + runs, given.level)
        runs += 1
    print(f"| theorem | runs | alarms at {given.level:.3g} |\n|---|---|---|")
    broken = False
    for name, theorem in THEOREMS.items():
        of, level = (runs, given.level) if theorem.random else (1, 0.0)
        broken |= too_many(count[name], of, level)
        print(f"| {name} | {of} | {count[name]} |")
    print(f"{sum(count.values())} alarms in {runs} runs of {len(THEOREMS)} theorems, fast size")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
