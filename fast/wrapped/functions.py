"""A plain function as a backend: step(p, g, state, **numbers) -> (p, state), of NumPy's arrays.

state is a dictionary, empty before the first step. The function is given copies, which it may
write.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from truestep.fast.locating import BrokenBackend
from truestep.fast.protocol import (
    FARTHEST,
    Array,
    Capability,
    Group,
    OptimizerCapability,
    Slot,
    Stepped,
)
from truestep.fast.wrapped import literals, matching, probes, search, told, trials, written
from truestep.fast.wrapped.matching import Place
from truestep.fast.wrapped.names import REQUIRED, renamed
from truestep.fast.wrapped.search import Found
from truestep.fast.wrapped.trials import Named, Trial
from truestep.reference.declared import Hyper

Step = Callable[..., tuple[Array, Named]]


class Function:
    """A step as a subject of the search. options: arguments besides the numbers."""

    def __init__(
        self,
        step: Step,
        options: Mapping[str, object],
        name: str = "",
        literals: Sequence[float] = (),
    ) -> None:
        self.step, self.options = step, dict(options)
        self.name = name or getattr(step, "__qualname__", type(step).__name__)
        self.offered = {k: x for k, x in self._numbers().items() if k not in self.options}
        self.hints: Sequence[float] = ()
        self.literals = literals
        # What was kept at the end of the last trial of a matrix.
        self.state: Named = {}

    def _numbers(self) -> Named:
        parameters = list(inspect.signature(self.step).parameters.values())[3:]
        named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        required = [p.name for p in named if p.default is p.empty and p.name not in self.options]
        if unknown := [name for name in required if name not in REQUIRED]:
            raise BrokenBackend(f"{self.name}: needs {', '.join(unknown)} besides p, g and state")
        return {p.name: REQUIRED[p.name] if p.name in required else p.default for p in named}

    def trial(self, numbers: Mapping[str, object], param: Array, grads: Sequence[Array]) -> Trial:
        """Steps from an empty state on; raises BrokenBackend where the function does not step."""
        state: Named = {}
        params, states = [param], []
        for g in grads:
            try:
                with np.errstate(all="ignore"):
                    p, state = self.step(
                        params[-1].copy(), g.copy(), _copied(state), **{**numbers, **self.options}
                    )
                params.append(np.asarray(p, np.float64))
            except Exception as error:
                text = " ".join(str(error).split())
                raise BrokenBackend(
                    f"{self.name}: raised {type(error).__name__}: {text}"
                ) from error
            states.append(_copied(state))
        if param.shape == trials.MATRIX:
            self.state = states[-1]
        return Trial(grads, params, states, [{} for _ in grads])


def _copied(state: Mapping[str, Any]) -> Named:
    return {name: x.copy() if isinstance(x, np.ndarray) else x for name, x in state.items()}


@dataclass(frozen=True, slots=True)
class Backend:
    """A step whose rule was found. reach: the last step that its counter takes."""

    subject: Function
    found: Found
    arithmetic: str | tuple[str, ...]
    reach: int = FARTHEST
    format: str = "float32"

    @property
    def name(self) -> str:
        """What the step is called."""
        return self.subject.name

    @property
    def declaration(self) -> str:
        """What was found, in one line."""
        return told.declaration(self.found, self.arithmetic)

    def rounding(self, arithmetic: str) -> Backend:
        """The same in an arithmetic that has been found."""
        return replace(self, arithmetic=arithmetic)

    def capabilities(self) -> list[Capability]:
        """The rule that was found."""
        found = self.found
        return [
            OptimizerCapability(
                rule=found.rule,
                format=self.format,
                arithmetic=self.arithmetic,
                dialect=found.dialect,
                fixed=found.fixed,
                shapes=found.shapes,
                reach=self.reach,
            )
        ]

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One call for every tensor."""
        return [[self._stepped(group.hyper, slot) for slot in group.slots] for group in groups]

    def _stepped(self, hyper: Hyper, slot: Slot) -> Stepped:
        ours = self.found.numbers
        numbers = renamed(ours, {name: _number(getattr(hyper, name)) for name in ours})
        state = self._entered(slot) if slot.state["t"] else {}
        with np.errstate(all="ignore"):
            p, after = self.subject.step(
                slot.param.copy(), slot.grad.copy(), state, **{**numbers, **self.subject.options}
            )
        return Stepped(np.asarray(p), self._left(slot, after))

    def _entered(self, slot: Slot) -> Named:
        """The function's state, of the reference's."""
        state: Named = {}
        for name, x in self.subject.state.items():
            like = isinstance(x, np.ndarray) and x.shape == trials.MATRIX
            state[name] = np.zeros_like(slot.param) if like else x
        for ours, place in self.found.state.items():
            x = slot.state[ours]
            if place.squeezed is not None and x.ndim > 1:
                x = x.squeeze(place.squeezed)
            state.update(_placed(place, -x if place.negative else x.copy(), slot))
        if counter := self.found.counter:
            t, like = slot.state["t"] + counter.ahead, counter.like
            array = isinstance(like, np.ndarray)
            state[counter.name] = np.full_like(like, t) if array else type(like)(t)
        return state

    def _left(self, slot: Slot, after: Mapping[str, Any]) -> Named:
        """The reference's state, of the function's after the step."""
        out: Named = {}
        for ours, x in slot.state.items():
            if ours == "t":
                continue
            place = self.found.state.get(ours)
            if place is None or (not place.parts and place.name not in after):
                out[ours] = x.copy()
                continue
            kept = _joined(place, after, slot) if place.parts else np.asarray(after[place.name])
            kept = kept.astype(x.dtype).reshape(x.shape)
            out[ours] = -kept if place.negative else kept
        counter = self.found.counter
        t = int(after[counter.name]) - counter.ahead if counter else slot.state["t"] + 1
        return {"t": t, **out}


def _number(x: object) -> object:
    """A number of Python's own, which widens no array."""
    return x.item() if isinstance(x, np.generic) else x


def _placed(place: Place, x: Array, slot: Slot) -> Named:
    """A tensor of the reference as the function keeps it."""
    if not place.parts:
        return {place.name: x if isinstance(place.like, np.ndarray) else type(place.like)(x)}
    due = matching.shapes(place.parts, slot.param.shape)
    ends = np.cumsum([math.prod(each) for each in due])[:-1]
    return {
        f"{place.name}{axis}": part.reshape(each)
        for axis, (part, each) in enumerate(zip(np.split(x, ends), due, strict=True))
    }


def _joined(place: Place, state: Mapping[str, Any], slot: Slot) -> Array:
    due = matching.shapes(place.parts, slot.param.shape)
    return np.concatenate([np.ravel(state[f"{place.name}{axis}"]) for axis in range(len(due))])


def signed(step: Step, make: Callable[..., object]) -> Step:
    """The step, with the arguments of make as its numbers."""
    own = list(inspect.signature(step).parameters.values())[:3]
    theirs = [p for p in inspect.signature(make).parameters.values() if p.kind is not p.VAR_KEYWORD]
    named = [p.replace(kind=p.KEYWORD_ONLY) for p in theirs]
    step.__signature__ = inspect.Signature([*own, *named])  # type: ignore[attr-defined]
    return step


def wrapped(
    step: Step,
    rule: str | None = None,
    arithmetic: str | None = None,
    options: Mapping[str, object] | None = None,
    *,
    name: str = "",
    rounding: Callable[[Found], tuple[str, ...]] = told.arithmetics,
    reach: int = FARTHEST,
    format: str = "float32",
) -> Backend:
    """A backend of a function: see truestep.wrap.callable.

    name: in the place of the function's. rounding: the arithmetic, where none is given.
    """
    if not callable(step):
        raise BrokenBackend(f"{step!r} is no function")
    name = name or getattr(step, "__qualname__", type(step).__name__)
    subject = Function(written.plain(step), options or {}, name, literals.small(step))
    tried = search.best(subject, rule)

    def made(found: Found) -> Backend:
        return Backend(subject, found, arithmetic or rounding(found), reach, format)

    def build(found: Found) -> tuple[Backend, Capability]:
        backend = made(found)
        [capability] = backend.capabilities()
        return backend, capability

    try:
        return made(probes.settled(tried, build))
    except BrokenBackend as error:
        raise BrokenBackend(f"{subject.name}: {error}") from error
