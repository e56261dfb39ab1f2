"""One case of a law on one object: the lives are run, and what they came to is compared."""

import pickle
from collections.abc import Iterator, Sequence
from weakref import WeakKeyDictionary

import numpy as np

from truestep.fast.protocol import Array, LifeBackend, LifeCapability, Observation, Program
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.judge.calls import BackendFault, Malformed, backend_call, require_list
from truestep.properties.judge.contracts import (
    Judged,
    Judgement,
    agreement,
    identity,
    none_amiss,
    not_judged,
)
from truestep.properties.kinds.life.cases import LifeCase, words
from truestep.properties.kinds.life.claims import ROUNDINGS, Alike, Claim, Law, Raises

Compared = Iterator[tuple[Claim, list[Judged]]]


def judged(backend: LifeBackend, capability: LifeCapability, law: Law, case: LifeCase) -> Compared:
    """Every claim of a law on a case, with the judgements of what was seen."""
    claims = list(law(capability, case))
    waiting = iter(_lived(backend, capability, [x for c in claims for x in _programs(c)]))
    for claim in claims:
        ends = [_looks(next(waiting)) for _ in _programs(claim)]
        yield claim, list(_compared(claim, ends))


# What was seen in the latest lives of a capability: laws have many of them in common.
_SEEN: WeakKeyDictionary[LifeBackend, tuple[str, dict[bytes, object]]] = WeakKeyDictionary()
_MOST_SEEN = 256


def _lived(
    backend: LifeBackend, capability: LifeCapability, programs: Sequence[Program]
) -> list[object]:
    """What is seen in lives, each of which is lived once."""
    name = f"{capability.rule} {capability.variant}"
    owner, known = _SEEN.get(backend, ("", {}))
    if owner != name or len(known) > _MOST_SEEN:
        known = {}
    _SEEN[backend] = name, known
    keys = [pickle.dumps(program) for program in programs]
    new = {key: x for key, x in zip(keys, programs, strict=True) if key not in known}
    if new:
        seen = backend_call(backend.lived, capability, list(new.values()))
        require_list("lives", seen, len(new))
        known.update(zip(new, seen, strict=True))
    return [known[key] for key in keys]


def _programs(claim: Claim) -> list[Program]:
    return [claim.got, claim.due] if isinstance(claim, Alike) else [claim.got]


def _looks(seen: object) -> list[Observation]:
    if not isinstance(seen, list) or not all(isinstance(x, dict) for x in seen):
        raise Malformed(f"a life is a list of observations, got {type(seen).__name__}")
    return seen or [{}]


def _compared(claim: Claim, seen: Sequence[list[Observation]]) -> Iterator[Judged]:
    if isinstance(claim, Raises):
        if "raised" not in seen[0][-1]:
            raise BackendFault(f"nothing is raised by {claim.due}\n  life: {words(claim.got)}")
        yield Judged(0, 0, 0, "raised", none_amiss(np.zeros(1)))
        return
    got, due = (looks[-1] for looks in seen)
    # What the object does not take at all says nothing of a law, unless its lives part.
    if "raised" in due and got.get("raised", due["raised"]) == due["raised"]:
        yield Judged(0, 0, 0, "p", not_judged(1))
        return
    if "raised" in got:
        last = f"{got['raised']}: {got['text']}"
        raise BackendFault(f"raised {last}, operation {got['at']} of the life\n{_lives(claim)}")
    require_list("observations", seen[0], len(seen[1]))
    for left, right in zip(*seen, strict=True):
        yield from _agreeing(claim, claim.view(left), (claim.of_due or claim.view)(right))


def _agreeing(
    claim: Alike, left: dict[str, Array | None], right: dict[str, Array | None]
) -> Iterator[Judged]:
    if claim.differ:
        yield _differing(claim, left, right)
        return
    if left.keys() != right.keys():
        odd = ", ".join(sorted(left.keys() ^ right.keys()))
        raise BackendFault(f"only one of two lives has {odd}\n{_lives(claim)}")
    for name, x in left.items():
        a, b = _alike(claim, name, x, right[name])
        if a.size and a.tobytes() == b.tobytes():
            yield Judged(0, 0, 0, name, none_amiss(a))
        else:
            yield Judged(0, 0, 0, name, _near(a, b) if claim.near else identity(a, b))


def _alike(claim: Alike, name: str, x: Array | None, y: Array | None) -> tuple[Array, Array]:
    a, b = np.asarray(x), np.asarray(y)
    if (a.shape, a.dtype) != (b.shape, b.dtype):
        told = f"is {a.dtype}{list(a.shape)}, due is {b.dtype}{list(b.shape)}"
        raise BackendFault(f"{name} {told}\n{_lives(claim)}")
    return a, b


def _near(x: Array, y: Array) -> Judgement:
    scale = np.max(np.abs(y), initial=0.0)
    return agreement(x, y, np.full(x.shape, ROUNDINGS * format_named(y.dtype.name).u * scale))


def _differing(
    claim: Alike, left: dict[str, Array | None], right: dict[str, Array | None]
) -> Judged:
    same = left.keys() == right.keys() and all(
        np.array_equal(np.asarray(x), np.asarray(right[name]), equal_nan=False)
        for name, x in left.items()
    )
    if same:
        raise BackendFault(f"two lives that are due to differ do not\n{_lives(claim)}")
    return Judged(0, 0, 0, "p", none_amiss(np.zeros(1)))


def _lives(claim: Alike) -> str:
    return "\n".join(lines(claim))


def lines(claim: Claim) -> tuple[str, ...]:
    """The lives of a claim as lines of a message."""
    if isinstance(claim, Raises):
        return (f"  life: {words(claim.got)}",)
    return (f"  life: {words(claim.got)}", f"  due:  {words(claim.due)}")
