"""Steps as people write them in NumPy, as step(p, g, state, **numbers) -> (p, state).

Functions whose arguments stand in another order, by their names; that take and return what they
keep one by one, step(w, dw, m, v, t, lr=...) -> (w, m, v); that keep it in something else than a
dictionary, or begin with None; that return by how much p changes. Classes with a method of p and g,
or of lists or dictionaries of them, which they change or return.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from truestep.fast.locating import BrokenBackend
from truestep.fast.protocol import Array
from truestep.fast.wrapped import trials
from truestep.fast.wrapped.leaves import Leaf, Walk
from truestep.fast.wrapped.names import REQUIRED
from truestep.fast.wrapped.trials import Named

Step = Callable[..., tuple[Array, Named]]
# What a function gives for the parameter, and what it keeps.
Given: TypeAlias = tuple[Any, Named]
# Parameters as a class holds them, and one of those.
Pack: TypeAlias = Callable[[Sequence[Array]], Any]
Unpack: TypeAlias = Callable[[Any, int], Array]

# What arguments are called that are no numbers.
_ROLES: Mapping[str, tuple[str, ...]] = {
    "g": ("d_w", "dp", "dtheta", "dw", "dx", "g", "grad", "gradient", "gradients", "grads"),
    "p": ("p", "param", "parameter", "parameters", "params", "theta", "w", "weight", "weights"),
    "state": ("cache", "memory", "opt_state", "optim_state", "optimizer_state", "s", "state"),
    "t": ("i", "iter", "iteration", "k", "n_step", "step", "step_count", "t", "timestep"),
}  # fmt: skip
# What the method that steps is called.
_METHODS = ("step", "update", "apply", "optimize", "update_params", "apply_gradients", "__call__")
# Our own count of steps, for those that are handed it.
_COUNT = "count of calls"
_FAR = 1e3

# How the parameter and its gradient are handed to a class: by name, in a list, alone.
_PACKS: tuple[tuple[Pack, Unpack], ...] = (
    (lambda xs: {f"w{i}": x for i, x in enumerate(xs)}, lambda held, i: held[f"w{i}"]),
    (list, lambda held, i: held[i]),
    (lambda xs: xs[0], lambda held, i: held),
)


def plain(made: Callable[..., Any]) -> Step:
    """The step that a function or a class makes; what is none in any reading as it is."""
    readings = _of_class(made) if inspect.isclass(made) else _of_function(made)
    return next((each for each in readings if _runs(each)), made)


def _role(name: str) -> str:
    return next((role for role, names in _ROLES.items() if name.lower() in names), "")


def _arguments(made: Callable[..., object]) -> list[inspect.Parameter]:
    """Those that can be given by name."""
    return [
        each
        for each in inspect.signature(made).parameters.values()
        if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    ]


def _signed(step: Step, numbers: Sequence[inspect.Parameter]) -> Step:
    """The step with these numbers."""
    own = list(inspect.signature(step).parameters.values())[:3]
    named = [each.replace(kind=each.KEYWORD_ONLY) for each in numbers]
    step.__signature__ = inspect.Signature([*own, *named])  # type: ignore[attr-defined]
    return step


def _runs(step: Step) -> bool:
    """Whether two steps with the numbers' defaults give a parameter."""
    p, (g, again) = trials.drawn(trials.MATRIX, seed=0, steps=2)
    numbers = _defaults(step)
    try:
        with np.errstate(all="ignore"):
            q, state = step(p.copy(), g.copy(), {}, **numbers)
            q, state = step(q.copy(), again.copy(), state, **numbers)
    except Exception:  # of whatever the function raises
        return False
    kept = isinstance(state, dict) and all(isinstance(name, str) for name in state)
    return kept and np.shape(q) == p.shape and np.asarray(q).dtype.kind == "f"


def _defaults(step: Step) -> Named:
    numbers = list(inspect.signature(step).parameters.values())[3:]
    return {
        each.name: REQUIRED[each.name] if each.default is each.empty else each.default
        for each in numbers
        if each.default is not each.empty or each.name in REQUIRED
    }


def _of_function(made: Callable[..., object]) -> Iterator[Step]:
    arguments = _arguments(made)
    roles = {_role(each.name): each.name for each in reversed(arguments)}
    named = {"p", "g"} <= roles.keys() or {"g", "state"} <= roles.keys()
    if not named and len(arguments) > 1:
        roles |= {"p": arguments[0].name, "g": arguments[1].name}
    rest = [each for each in arguments if each.name not in (roles.get("p"), roles.get("g"))]
    wanting = [
        each.name
        for each in rest
        if each.default is each.empty and each.name not in REQUIRED and _role(each.name) != "t"
    ]
    one = roles.get("state", wanting[0] if len(wanting) == 1 else "")
    count = [each.name for each in rest if _role(each.name) == "t" and each.default is each.empty]
    taken = {*wanting, *count, one}
    numbers = [each for each in rest if each.name not in taken]
    if one:
        beginnings: tuple[Named | None, ...] = ({}, None)
        for empty in beginnings:
            yield from _moved(partial(_kept_in_one, made, roles, one, count, empty), numbers)
    yield from _moved(partial(_kept_apart, made, roles, wanting, count), numbers)


def _moved(call: Callable[..., Given], numbers: Sequence[inspect.Parameter]) -> Iterator[Step]:
    """The step of what returns the parameter, or by how much it changes, whichever it is."""

    def step(p: Array, g: Array, state: Named, **given: object) -> tuple[Array, Named]:
        q, after = call(p, g, state, given)
        return (p + sign * q if sign else q), after

    p, (g,) = trials.drawn(trials.MATRIX, seed=0, steps=1)
    sign = 0
    given = _defaults(_signed(step, numbers))
    try:
        near, far = (np.asarray(call(x, g.copy(), {}, given)[0]) for x in (p.copy(), p + _FAR))
    except Exception:  # of whatever the function raises
        return
    if np.shape(near) == p.shape and np.max(np.abs(far - near)) < _FAR / 2:
        sign = 1 if np.sum(near * g) < 0 else -1
    yield step


def _kept_in_one(
    made: Callable[..., object],
    roles: Mapping[str, str],
    one: str,
    count: Sequence[str],
    empty: object,
    p: Array,
    g: Array,
    state: Named,
    numbers: Named,
) -> Given:
    """A function of p, g and what it keeps, whatever that is; empty: what it is at first."""
    t = state.get(_COUNT, 0) + 1

    def called(p: Array, g: Array, kept: object) -> tuple[Any, object]:
        given: Named = {roles[role]: x for role, x in (("p", p), ("g", g)) if role in roles}
        given |= {one: kept, **dict.fromkeys(count, t)}
        q, after = _parted(made(**given, **numbers), p)
        return q, kept if after is None else after

    if isinstance(empty, dict):
        kept: object = {name: x for name, x in state.items() if name != _COUNT}
    elif state:
        # A step that makes the container, for what is in it.
        _, held = called(p.copy(), np.ones_like(g), None)
        kept = _filled(held, state)
    else:
        kept = None
    q, after = called(p, g, kept)
    if empty is None:
        after = {name: each.x for name, each in _leaves([after])}
    # What is no dictionary is not understood so.
    return q, {**dict(after), **({_COUNT: t} if count else {})}  # type: ignore[call-overload]


def _filled(held: object, state: Named) -> object:
    """What is kept, with these values in it."""
    home = [held]
    for name in dict(_leaves(home)).keys() & state.keys():
        # Again each time: of a tuple another one is put.
        dict(_leaves(home))[name].put(state[name])
    return home[0]


def _leaves(home: list[object]) -> Iterator[tuple[str, Leaf]]:
    for name, leaf in Walk((), 0, shared=True).found("", home[0], partial(home.__setitem__, 0)):
        yield name.removeprefix("."), leaf


def _parted(result: object, p: Array) -> tuple[Any, Any]:
    """The parameter in what a function returned, and the rest; None where there is none."""
    if isinstance(result, np.ndarray) or not isinstance(result, (tuple, list)):
        return (p if result is None else result), None
    index = next(i for i, x in enumerate(result) if np.shape(x) == p.shape)
    rest = [x for i, x in enumerate(result) if i != index]
    return result[index], rest[0] if len(rest) == 1 else (rest or None)


def _kept_apart(
    made: Callable[..., object],
    roles: Mapping[str, str],
    kept: Sequence[str],
    count: Sequence[str],
    p: Array,
    g: Array,
    state: Named,
    numbers: Named,
) -> Given:
    """A function of p, g and every tensor that it keeps, which it returns or writes."""
    t = state.get(_COUNT, 0) + 1
    held = {name: state.get(name, np.zeros_like(p)) for name in kept}
    given = {roles[role]: x for role, x in (("p", p), ("g", g)) if role in roles}
    given |= {**held, **dict.fromkeys(count, t)}
    result = made(**given, **numbers)
    if isinstance(result, (tuple, list)):
        # In the order in which it takes them; the count may be among them.
        result, *after = result
        names = [*kept, *count] if len(after) > len(kept) else kept
        order = [name for name in given if name in names]
        held |= {n: x for n, x in zip(order, after, strict=True) if n in held}
    return (p if result is None else result), {**held, **({_COUNT: t} if count else {})}


def _of_class(made: type) -> Iterator[Step]:
    arguments = _arguments(made)
    numbers = [each for each in arguments if _role(each.name) not in ("p", "t")]
    owners = [each.name for each in arguments if _role(each.name) == "p"]
    methods = [name for name in _METHODS if callable(getattr(made, name, None))]
    for method in methods[:1]:
        for pack, unpack in _PACKS:
            each = _Method(made, method, owners, pack, unpack)
            step = _signed(partial(each.step), numbers)  # a method's own cannot be given
            if _runs(step) and pack is not _PACKS[-1][0]:
                each.refuse_what_is_shared(_defaults(step))
            yield step


@dataclass(frozen=True, slots=True)
class _Method:
    """A class's method that steps. owners: arguments of its constructor that are parameters."""

    made: type
    method: str
    owners: Sequence[str]
    pack: Pack
    unpack: Unpack

    def step(self, p: Array, g: Array, state: Named, **numbers: object) -> tuple[Array, Named]:
        """A step of an object of its own, which is handed the state."""
        t, mine = state.get(_COUNT, 0) + 1, p.copy()
        held = self.pack([mine])
        one = self._one(held, numbers)
        if state:
            self._called(one, held if self.owners else self.pack([p.copy()]), [np.ones_like(g)], t)
            mine[...] = p
            _put_back(held, mine)
            places = _attributes(one, mine)
            for name in places.keys() & state.keys():
                places[name].put(state[name])
        q = self.unpack(self._called(one, held, [g], t), 0)
        kept = {name: each.x for name, each in _attributes(one, mine).items()}
        moving = {name: x for name, x in kept.items() if not _same(x, numbers.get(name))}
        counted = "t" in map(_role, inspect.signature(getattr(one, self.method)).parameters)
        return q, {**moving, **({_COUNT: t} if counted else {})}

    def refuse_what_is_shared(self, numbers: Named) -> None:
        """Raise BrokenBackend where two parameters of one object are not stepped as each alone."""
        drawn = trials.two()
        alone = [self._run([each], numbers)[0] for each in drawn]
        together = self._run(drawn, numbers)
        for name, one, both in zip(("first", "second"), alone, together, strict=True):
            if not np.allclose(one, both, rtol=trials.ROUNDED, atol=0):
                raise BrokenBackend(
                    f"{self.made.__qualname__}: of two parameters in one optimizer the {name} is "
                    f"stepped otherwise than alone: after {trials.TOGETHER} steps it is off by "
                    f"{np.max(np.abs(one - both)):.1g}"
                )

    def _run(self, drawn: Sequence[tuple[Array, Sequence[Array]]], numbers: Named) -> list[Array]:
        held = self.pack([p.copy() for p, _ in drawn])
        one = self._one(held, numbers)
        for t in range(trials.TOGETHER):
            held = self._called(one, held, [grads[t].copy() for _, grads in drawn], t + 1)
        return [np.asarray(self.unpack(held, i)) for i in range(len(drawn))]

    def _one(self, held: Any, numbers: Named) -> Any:
        return self.made(**dict.fromkeys(self.owners, held), **numbers)

    def _called(self, one: object, held: Any, grads: Sequence[Array], t: int) -> Any:
        """What holds the parameters after a call of the method."""
        call = getattr(one, self.method)
        needed = [each.name for each in _arguments(call) if each.default is each.empty]
        what = {"g": self.pack(grads), "t": t}
        result = call(**{name: what.get(_role(name), held) for name in needed})
        return held if result is None else result


def _put_back(held: object, mine: Array) -> None:
    """The parameter into what it was handed over in, where another stands there now."""
    if isinstance(held, (dict, list)):
        for key in held if isinstance(held, dict) else range(len(held)):
            held[key] = mine


def _same(x: Any, number: object) -> bool:
    return isinstance(number, (int, float)) and np.ndim(x) == 0 and bool(x == number)


def _attributes(one: object, p: Array) -> dict[str, Leaf]:
    """What an object keeps of its one parameter, by name."""
    every: dict[str, Leaf] = {}
    for name, x in list(vars(one).items()):
        every |= Walk((p,), 0, shared=True).found(name, x, partial(setattr, one, name))
    return every
