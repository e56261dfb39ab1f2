"""Judging rules whose rigorous bound is vacuous: by replicates of the reference's own lines.

What is judged of a step is what the rule's observables() make of the new state and parameter: the
definition leaves the sign of a singular vector, or a basis of a subspace, to the implementation.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import Array, Slot, State, Stepped
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.arithmetic.lift import sampled, stepped
from truestep.properties.arithmetic.profiles import ORACLE, Arithmetic
from truestep.properties.arithmetic.sampled import Replicates, Sampled, quantile
from truestep.properties.judge import truth
from truestep.properties.judge.contracts import Judgement, judge_sampled, not_judged
from truestep.properties.judge.remembered import remembered
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import Rule

# Enough that Student's t is within a factor of two of the normal distribution's at FALSE_ALARM.
REPLICATES = 32
# Of the reference's own error, a small share of the kernel's, whose size alone is wanted.
_OF_ORACLE = 8
_SEED = 20220202

Rows = NDArray[np.float64]


def judgements(
    rule: Rule, hyper: Hyper, slot: Slot, new: Stepped, arithmetic: Arithmetic
) -> Iterator[tuple[str, Judgement]]:
    """Every observable of one slot's step, judged.

    Not judged where an intermediate result left the range of the format, where rounding may turn a
    comparison on which a Python branch depends, and where the reference refuses the input, as
    decompositions refuse nan. Where signs are free and live on, they are those that new has.
    """
    signed = rule.FACTS.signed
    vectors = [_wide(new.state[name]) for name in signed.vectors] if signed else []
    taken = tuple(x if x.size else None for x in vectors)
    got = observables(rule, hyper, new.state, new.param, signed=True)
    key = rule.Hyper.__module__, hyper, *(x.tobytes() for x in vectors)

    def evaluated(kind: Arithmetic, count: int) -> dict[str, Rows]:
        return remembered(
            ("sampled", *key, kind.name),
            slot,
            lambda: observed(rule, hyper, slot, kind, count, taken=taken),
            weight=count,
        )

    def found(oracle: Mapping[str, Rows]) -> Iterator[tuple[str, Judgement]]:
        for name, x in got.items():
            yield name, judge_sampled(x, kernel[name], oracle.get(name))

    try:
        kernel = evaluated(arithmetic, REPLICATES)
        yield from truth.decided(
            found,
            dict[str, Rows](),
            lambda: evaluated(ORACLE, _OF_ORACLE),
            measured=truth.measured(arithmetic, slot.grad),
        )
    except (Undecided, np.linalg.LinAlgError):
        for name, x in got.items():
            yield name, not_judged(x.size)


def observables(
    rule: Rule, hyper: Hyper, state: State, p: Array, *, signed: bool = False
) -> dict[str, Rows]:
    """What the definition determines of a new state (fields by name) and parameter, in float64.

    signed: where it leaves signs to the kernel, with those that the state has.
    """
    wide = {
        name: int(x) if np.ndim(x) == 0 and np.asarray(x).dtype.kind in "iu" else _wide(x)
        for name, x in state.items()
    }
    given = rule.FACTS.signed if signed else None
    of = given.observables if given else rule.FACTS.observables
    assert of is not None
    with np.errstate(all="ignore"):
        found = of(hyper, rule.State(**wide), _wide(p))
    return {name: np.asarray(x, dtype=np.float64) for name, x in found.items()}


def _wide(x: Array) -> Rows:
    return np.asarray(x).astype(np.float64)


def replicates(
    arithmetic: Arithmetic, count: int = REPLICATES, taken: Sequence[Rows | None] = ()
) -> Replicates:
    """Replicates that err in the same way at every call: a judgement is reproduced exactly."""
    left, right = taken or (None, None)
    return Replicates(arithmetic, count, np.random.default_rng(_SEED), taken=(left, right))


def observed(
    rule: Rule,
    hyper: Hyper,
    slot: Slot,
    arithmetic: Arithmetic,
    count: int = REPLICATES,
    *,
    taken: Sequence[Rows | None] = (),
) -> dict[str, Rows]:
    """The observables of the step's value, in row 0, and of its replicates.

    taken: singular vectors of the signs that are due. Raises Undecided where an operation
    overflowed, which in another order it may not, and where the replicates take different branches.
    """
    world = replicates(arithmetic, count, taken)
    outputs = stepped(rule, hyper, slot, sampled(world))
    return in_rows(rule, hyper, outputs, world, signed=True)


def in_rows(
    rule: Rule,
    hyper: Hyper,
    outputs: Mapping[str, Array],
    world: Replicates,
    *,
    signed: bool = False,
) -> dict[str, Rows]:
    """What is judged of a step's outputs, in rows; Undecided where an operation overflowed."""
    if world.overflows:
        raise Undecided(f"{world.overflows[0]} left the range of the format")
    made = [_row(rule, hyper, outputs, i, signed=signed) for i in range(world.count + 1)]
    return {name: np.stack([row[name] for row in made]) for name in made[0]}


def spread(rows: Rows) -> Rows:
    """What an error like the replicates' exceeds with probability FALSE_ALARM, by element."""
    with np.errstate(all="ignore"):
        strayed = rows[1:] - rows[0]
        factor = quantile(len(strayed), max(1, rows[0].size))
        size = factor * np.sqrt(np.mean(strayed**2, axis=0))
        alike = np.all((rows == rows[0]) | (np.isnan(rows) & np.isnan(rows[0])), axis=0)
    return np.where(alike, 0.0, np.where(np.isfinite(size), size, np.inf))


def _row(
    rule: Rule, hyper: Hyper, stored: Mapping[str, Array], row: int, *, signed: bool
) -> dict[str, Rows]:
    values = {name: x.x[row] if isinstance(x, Sampled) else x for name, x in stored.items()}
    if rule.FACTS.observables is None:
        return {name: _wide(x) for name, x in values.items() if name != "t"}
    p = values.pop("p")
    return observables(rule, hyper, values, p, signed=signed)
