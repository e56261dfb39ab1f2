"""optax's optimizers on the CPU: a fresh transformation for every step, given the state as it was.

optax_rows.py and optax_contrib_rows.py say which; optax_row.py in which ways, and how they round.
The counter is optax's own, an int32; where a transformation counts nothing, t + 1 comes from here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from truestep.fast.peers.optax.contrib_rows import CONTRIB_ROWS
from truestep.fast.peers.optax.row import WAYS, Row
from truestep.fast.peers.optax.rows import ROWS
from truestep.fast.protocol import Array, Capability, Group, Slot, Stepped

Tree = Any
EVERY_ROW = (*ROWS, *CONTRIB_ROWS)

# The last step that optax's int32 counter takes: from there on it stands still, as documented.
REACH = 2**31 - 3


def capabilities() -> tuple[Capability, ...]:
    """Every row in every way that it is run."""
    return tuple(_capability(row, way) for row in EVERY_ROW for way in row.ways)


def _capability(row: Row, way: str) -> Capability:
    return Capability(
        kind="optimizer",
        rule=row.rule,
        format="float32",
        arithmetic=row.arithmetic[way],
        dialect=row.dialect,
        variant=row.prefix + way,
        fixed=row.fixed,
        level=max(row.level, WAYS[way], key=("smoke", "standard", "deep").index),
        shapes=row.shapes,
        reach=REACH,
        single=row.single,
    )


class Optimizers:
    """The steps of optax's optimizers."""

    def __init__(self, jax: Any, optax: Any) -> None:
        self._jax, self._optax = jax, optax
        self._rows = {
            (row.rule, row.prefix + way): (row, way) for row in EVERY_ROW for way in row.ways
        }

    def step(self, capability: Capability, groups: Sequence[Group]) -> list[list[Stepped]]:
        """One update of every tensor; those of a group that count together are one tree."""
        row, way = self._rows[capability.rule, capability.variant]
        out = []
        for group in groups:
            stepped: dict[int, Stepped] = {}
            for members in _trees(row, group.slots):
                found = self._updated(row, way, group.hyper, [group.slots[j] for j in members])
                stepped.update(zip(members, found, strict=True))
            out.append([stepped[j] for j in range(len(group.slots))])
        return out

    def _updated(self, row: Row, way: str, hyper: Any, slots: Sequence[Slot]) -> list[Stepped]:
        numpy = self._jax.numpy
        optimizer = self._transformation(row, way, hyper, slots)
        params = [numpy.asarray(slot.param) for slot in slots]
        grads = [numpy.asarray(slot.grad) for slot in slots]
        state = self._loaded(row, optimizer.init(params), slots)

        def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
            updates, state = optimizer.update(grads, state, params)
            return self._optax.apply_updates(params, updates), state

        run = self._jax.jit(update) if way == "jit" else update
        params, state = run(grads, state, params)
        count = _count(row, state, slots[0])
        return [
            Stepped(np.asarray(param), {"t": count, **self._stored(row, state, slot, j)})
            for j, (param, slot) in enumerate(zip(params, slots, strict=True))
        ]

    def _transformation(self, row: Row, way: str, hyper: Any, slots: Sequence[Slot]) -> Any:
        """The constructor's result for these hyperparameters."""
        optax = self._optax
        make = operator.attrgetter(row.constructor)(optax)
        rate: Any = float(hyper.lr)
        if way == "scheduled":
            rate = optax.constant_schedule(rate)
        elif way == "injected":
            make = optax.inject_hyperparams(make)
        arguments = {**row.options, **_arguments(row, hyper)}
        if row.made:
            arguments |= row.made(optax, hyper, slots)
        parts = [optax.scale(-1.0)] if hyper.maximize else []
        if row.coupled:
            parts.append(optax.add_decayed_weights(float(hyper.weight_decay)))
        if row.constructor.startswith("scale_by"):
            parts += [make(**arguments), optax.scale_by_learning_rate(rate)]
        else:
            parts += [make(learning_rate=rate, **arguments)]
        return optax.chain(*parts) if len(parts) > 1 else parts[0]

    def _loaded(self, row: Row, state: Tree, slots: Sequence[Slot]) -> Tree:
        """optax's first state with the slots' own numbers in the place of its zeros."""

        def changed(name: str, held: Tree) -> Tree:
            if name in row.started:
                count = slots[0].state["t"] + row.started[name]
                return self._jax.numpy.asarray(count, np.int32)
            for ours, theirs in row.state.items():
                turn, kept = _turned(theirs)
                if kept == name and isinstance(held, list):
                    given = [turn(slot.state[ours]) for slot in slots]
                    held = [self._laid_out(x, h) for x, h in zip(given, held, strict=True)]
                elif kept == name:
                    held = self._laid_out(turn(slots[0].state[ours]), held)
            return held

        names = {*row.started, *(_turned(theirs)[1] for theirs in row.state.values())}
        return _replaced(state, names, changed)

    def _laid_out(self, x: Array, like: Tree) -> Tree:
        """x in the arrays of which optax makes up the same state; like itself if it has no room."""
        leaves, structure = self._jax.tree.flatten(like)
        if sum(leaf.size for leaf in leaves) != x.size:
            return like
        ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
        parts = np.split(np.ravel(x), ends) if len(leaves) > 1 else [x]
        arrays = [
            self._jax.numpy.asarray(part.reshape(leaf.shape))
            for part, leaf in zip(parts, leaves, strict=True)
        ]
        return self._jax.tree.unflatten(structure, arrays)

    def _stored(self, row: Row, state: Tree, slot: Slot, j: int) -> dict[str, Array]:
        """The reference's fields; what optax does not keep stays as it was."""
        out = {name: x.copy() for name, x in slot.state.items() if name != "t"}
        for ours, theirs in row.state.items():
            turn, name = _turned(theirs)
            shape = turn(out[ours]).shape
            for held in _found(state, name):
                leaves = self._jax.tree.leaves(held[j] if isinstance(held, list) else held)
                if leaves and sum(leaf.size for leaf in leaves) == out[ours].size:
                    whole = np.concatenate([np.asarray(leaf).reshape(-1) for leaf in leaves])
                    out[ours] = turn(whole.reshape(shape))
        return out


def _replaced(state: Tree, wanted: set[str], change: Callable[[str, Tree], Tree]) -> Tree:
    """The state with every field of these names changed, however deep it lies."""
    # optax's own tree_set passes over tuples within a tuple that has a field of the name.
    if isinstance(state, dict):
        return {key: _replaced(value, wanted, change) for key, value in state.items()}
    if not isinstance(state, tuple):
        return state
    names = getattr(state, "_fields", None)
    if names is None:
        return tuple(_replaced(value, wanted, change) for value in state)
    return type(state)(
        *(
            change(name, value) if name in wanted else _replaced(value, wanted, change)
            for name, value in zip(names, state, strict=True)
        )
    )


def _found(state: Tree, name: str) -> Iterator[Any]:
    """Every field of that name, however deep it lies."""
    if isinstance(state, dict):
        for value in state.values():
            yield from _found(value, name)
    elif isinstance(state, tuple):
        names = getattr(state, "_fields", ("",) * len(state))
        for field, value in zip(names, state, strict=True):
            if field == name:
                yield value
            else:
                yield from _found(value, name)


def _count(row: Row, state: Tree, slot: Slot) -> int:
    """The number of steps made; a RuntimeError where optax's counters disagree."""
    found = {
        int(count) - first for name, first in row.started.items() for count in _found(state, name)
    }
    if len(found) > 1:
        raise RuntimeError(f"optax counts {sorted(found)} at once")
    return found.pop() if found else int(slot.state["t"]) + 1


def _trees(row: Row, slots: Sequence[Slot]) -> list[list[int]]:
    """The slots that one call updates: those of one count, which optax keeps once for all."""
    if row.apart:
        return [[j] for j in range(len(slots))]
    by_count: dict[int, list[int]] = {}
    for j, slot in enumerate(slots):
        by_count.setdefault(slot.state["t"], []).append(j)
    return list(by_count.values())


def _turned(name: str) -> tuple[Callable[[Array], Array], str]:
    """How the reference's array becomes optax's, and optax's the reference's; optax's name."""
    if name.startswith("-"):
        return lambda x: np.asarray(-x), name[1:]
    return (np.transpose, name[1:]) if name.startswith("^") else (np.asarray, name)


def _arguments(row: Row, hyper: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for theirs, ours in row.numbers.items():
        if isinstance(ours, str):
            number = getattr(hyper, ours)
            out[theirs] = None if theirs in row.optional and number == 0 else number
        else:
            out[theirs] = tuple(getattr(hyper, name) for name in ours)
    return out
