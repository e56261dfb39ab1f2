"""optax's optimizers on the CPU, handed the state as it was before every step.

rows.py, contrib_rows.py and loss_rows.py say which; row.py in which ways, and how they round. The
counter is optax's own, an int32; where a transformation counts nothing, t + 1 comes from here.
"""

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
import optax

from truestep.fast.peers.optax.contrib_rows import CONTRIB_ROWS
from truestep.fast.peers.optax.loss_rows import LOSS_ROWS
from truestep.fast.peers.optax.row import Row
from truestep.fast.peers.optax.rows import ROWS
from truestep.fast.protocol import Array, Capability, Group, Slot, Stepped
from truestep.reference.declared import Hyper

EVERY_ROW = (*ROWS, *CONTRIB_ROWS, *LOSS_ROWS)

# The row and the way of every capability, by rule and variant.
PLANS = {(row.rule, row.prefix + way): (row, way) for row in EVERY_ROW for way in row.ways}


def step(capability: Capability, groups: Sequence[Group]) -> list[list[Stepped]]:
    """One update of every tensor; those of a group that count together are one tree."""
    row, way = PLANS[capability.rule, capability.variant]
    out = []
    for group in groups:
        stepped: dict[int, Stepped] = {}
        for members in _trees(row, group.slots):
            found = _updated(row, way, group.hyper, [group.slots[j] for j in members])
            stepped.update(zip(members, found, strict=True))
        out.append([stepped[j] for j in range(len(group.slots))])
    return out


def _trees(row: Row, slots: Sequence[Slot]) -> list[list[int]]:
    """The slots that one call updates: those of one count, which optax keeps once for all."""
    if row.apart:
        return [[j] for j in range(len(slots))]
    by_count: dict[int, list[int]] = {}
    for j, slot in enumerate(slots):
        by_count.setdefault(slot.state["t"], []).append(j)
    return list(by_count.values())


def _updated(row: Row, way: str, hyper: Hyper, slots: Sequence[Slot]) -> list[Stepped]:
    params: optax.Params = [jnp.asarray(slot.param) for slot in slots]
    if row.gradient:
        grads = [jnp.asarray(row.gradient(p, slot)) for p, slot in zip(params, slots, strict=True)]
    else:
        grads = [jnp.asarray(slot.grad) for slot in slots]
    if row.paired:
        slow = [jnp.asarray(slot.state[row.paired]) for slot in slots]
        params = optax.LookaheadParams(fast=params, slow=slow)
    shapes = tuple(slot.param.shape for slot in slots)
    if row.made:
        optimizer = _transformation(row, way, hyper, row.made(hyper, slots))
        first = optimizer.init(params)
    else:
        optimizer, first = _begun(row.rule, row.prefix + way, hyper, shapes)
    handed = [jnp.asarray(s.inputs[row.drawn]) for s in slots if row.drawn in s.inputs]
    if row.drawn and not handed:
        first = _drawn_before(row.rule, row.prefix + way, hyper, shapes, slots[0].state["t"])
    state = _loaded(row, hyper, first, slots)
    others = {name: jnp.asarray(slots[0].inputs[name]) for name in row.handed}

    def update(
        grads: optax.Updates,
        state: optax.OptState,
        params: optax.Params,
        others: dict[str, jax.Array],
        handed: list[jax.Array],
    ) -> tuple[optax.Params, optax.OptState]:
        with _drawing(handed):
            updates, state = optimizer.update(grads, state, params, **others)
        return optax.apply_updates(params, updates), state

    done = jax.jit(update) if way == "jit" else update
    params, state = done(grads, state, params, others, handed)
    count = _count(row, state, slots[0])
    fast = params.fast if row.paired else params
    return [
        Stepped(
            np.asarray(param),
            {
                "t": count,
                **_stored(row, hyper, state, slot, j, param),
                **({row.paired: np.asarray(params.slow[j])} if row.paired else {}),
            },
        )
        for j, (param, slot) in enumerate(zip(fast, slots, strict=True))
    ]


@functools.lru_cache(maxsize=256)
def _begun(
    rule: str, variant: str, hyper: Hyper, shapes: tuple[tuple[int, ...], ...]
) -> tuple[optax.GradientTransformation, optax.OptState]:
    """A transformation and its first state, which a run asks for at every step of a trajectory.

    Whatever of the state depends on the parameters is among what _loaded replaces.
    """
    row, way = PLANS[rule, variant]
    optimizer = _transformation(row, way, hyper, {})
    return optimizer, optimizer.init([jnp.zeros(shape, jnp.float32) for shape in shapes])


@functools.lru_cache(maxsize=8)
def _drawn_before(
    rule: str, variant: str, hyper: Hyper, shapes: tuple[tuple[int, ...], ...], t: int
) -> optax.OptState:
    """The state after so many updates, each of which has drawn."""
    optimizer, state = _begun(rule, variant, hyper, shapes)
    if t:
        state = _drawn_before(rule, variant, hyper, shapes, t - 1)
        # An axis of examples before the parameter's, or of its own, is all the same to a key.
        zeros = [jnp.zeros((1, *shape), jnp.float32) for shape in shapes]
        _, state = optimizer.update(zeros, state)
    return state


def _drawing(handed: Sequence[jax.Array]) -> AbstractContextManager[object]:
    """jax.random.normal gives these, one after the other; where there are none, what it draws."""
    given = iter(handed)

    def normal(key: jax.Array, shape: tuple[int, ...], dtype: object) -> jax.Array:
        x = next(given)
        if x.shape != shape or x.dtype != dtype:
            raise RuntimeError(f"draws of {shape} are asked for, not of {x.shape}")
        return x

    return patch.object(jax.random, "normal", normal) if handed else nullcontext()


def _transformation(
    row: Row, way: str, hyper: Hyper, made: Mapping[str, object]
) -> optax.GradientTransformation:
    """The constructor's result for these hyperparameters."""
    with warnings.catch_warnings():
        # Of names that optax would have replaced.
        warnings.simplefilter("ignore", DeprecationWarning)
        make = optax.inject_hyperparams(row.make) if way == "injected" else row.make
        rate = float(hyper.lr)
        schedule = optax.constant_schedule(rate) if way == "scheduled" else rate
        rates = {row.rate: schedule} if row.rate else {}
        arguments = {**rates, **row.options, **_arguments(row, hyper), **made}
        parts = [optax.scale(-1.0)] if getattr(hyper, "maximize", False) else []
        if row.coupled and hasattr(hyper, "weight_decay"):
            parts.append(optax.add_decayed_weights(float(hyper.weight_decay)))
        if row.constructor.startswith("scale_by"):
            last = optax.scale_by_learning_rate(arguments.pop("learning_rate"))
            parts += [make(**arguments), last]
        else:
            parts += [make(**arguments)]
        return optax.chain(*parts) if len(parts) > 1 else parts[0]


def _arguments(row: Row, hyper: Hyper) -> dict[str, object]:
    out: dict[str, object] = {}
    for theirs, ours in row.numbers.items():
        if isinstance(ours, str):
            number = getattr(hyper, ours)
            out[theirs] = None if theirs in row.optional and number == 0 else number
        else:
            out[theirs] = tuple(getattr(hyper, name) for name in ours)
    return out


def _turned(name: str) -> tuple[Callable[[Array], Array], str]:
    """How the reference's array becomes optax's, and optax's the reference's; optax's name."""
    if name.startswith("-"):
        return lambda x: np.asarray(-x), name[1:]
    return (np.transpose, name[1:]) if name.startswith("^") else (np.asarray, name)


def _loaded(row: Row, hyper: Hyper, state: optax.OptState, slots: Sequence[Slot]) -> optax.OptState:
    """optax's first state with the slots' own numbers in the place of its zeros."""

    def changed(name: str, held: optax.OptState) -> optax.OptState:
        if name in row.started:
            return jnp.asarray(slots[0].state["t"] + row.started[name], jnp.int32)
        if name in row.since:
            return jnp.asarray(slots[0].state["t"] % getattr(hyper, row.since[name]), jnp.int32)
        if name == row.begun:
            return jnp.asarray(slots[0].state["t"] == 0)
        for ours, theirs in row.state.items():
            turn, kept = _turned(theirs)
            if kept == name and isinstance(held, list):
                given = [turn(slot.state[ours]) for slot in slots]
                held = [_laid_out(x, h) for x, h in zip(given, held, strict=True)]
            elif kept == name:
                held = _laid_out(turn(slots[0].state[ours]), held)
        return held

    names = {
        row.begun,
        *row.since,
        *row.started,
        *(_turned(theirs)[1] for theirs in row.state.values()),
    }
    return _replaced(state, names, changed)


def _laid_out(x: Array, like: optax.OptState) -> optax.OptState:
    """x in the arrays of which optax makes up the same state; like itself if it has no room."""
    leaves, structure = jax.tree.flatten(like)
    if sum(leaf.size for leaf in leaves) != x.size:
        return like
    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
    parts = np.split(np.ravel(x), ends) if len(leaves) > 1 else [x]
    arrays = [
        jnp.asarray(part.reshape(leaf.shape)) for part, leaf in zip(parts, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, arrays)


def _stored(
    row: Row, hyper: Hyper, state: optax.OptState, slot: Slot, j: int, param: jax.Array
) -> dict[str, Array]:
    """The reference's fields; what optax does not keep stays as it was."""
    if row.beside:
        return dict(row.beside(hyper, slot, param))
    out = {name: x.copy() for name, x in slot.state.items() if name != "t"}
    for ours, theirs in row.state.items():
        turn, name = _turned(theirs)
        shape = turn(out[ours]).shape
        for held in _found(state, name):
            leaves = jax.tree.leaves(held[j] if isinstance(held, list) else held)
            if leaves and sum(leaf.size for leaf in leaves) == out[ours].size:
                whole = np.concatenate([np.asarray(leaf).reshape(-1) for leaf in leaves])
                out[ours] = turn(whole.reshape(shape))
    return out


def _replaced(
    state: optax.OptState, wanted: set[str], change: Callable[[str, optax.OptState], optax.OptState]
) -> optax.OptState:
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


def _found(state: optax.OptState, name: str) -> list[optax.OptState]:
    """Every field of that name, however deep it lies."""
    found: list[optax.OptState] = []
    _replaced(state, {name}, lambda _, held: found.append(held))
    return found


def _count(row: Row, state: optax.OptState, slot: Slot) -> int:
    """The number of steps made; a RuntimeError where optax's counters disagree."""
    found = {
        int(count) - first for name, first in row.started.items() for count in _found(state, name)
    }
    if len(found) > 1:
        raise RuntimeError(f"optax counts {sorted(found)} at once")
    return found.pop() if found else int(slot.state["t"]) + 1
