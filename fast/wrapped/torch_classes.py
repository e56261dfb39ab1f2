"""A torch.optim.Optimizer as a subject of the search, and as a backend once it is understood."""

from __future__ import annotations

import copy
import inspect
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from truestep.fast.discovery import BrokenBackend
from truestep.fast.peers import torch_like
from truestep.fast.peers.torch_like import Bridge, Named, Row, number
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array, Capability, Fixed, OptimizerBackend, Slot
from truestep.fast.wrapped import matching, probes, search, told, trials
from truestep.fast.wrapped.matching import Place
from truestep.fast.wrapped.search import Found
from truestep.fast.wrapped.trials import Trial
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS

Make = Callable[..., torch.optim.Optimizer]
# Where a constructor demands numbers, these.
_REQUIRED: Mapping[str, object] = {
    "alpha": 0.03, "betas": (0.9, 0.99), "beta1": 0.9, "beta2": 0.99, "eps": 1e-8,
    "learning_rate": 0.03, "lr": 0.03, "momentum": 0.9, "weight_decay": 0.0,
}  # fmt: skip
_DTYPES = {torch.float64: np.float64, torch.float32: np.float32}


class Class:
    """An optimizer's class, or what else makes optimizers of parameters.

    options: arguments of the constructor besides numbers; what it does not take is put into groups.
    """

    def __init__(self, make: Make, options: Mapping[str, object]) -> None:
        self.make, self.options = make, dict(options)
        self.name = getattr(make, "__qualname__", type(make).__name__)
        self._accepted, self._required = self._signature()
        self.dtype, made = self._tried()
        self.grouped = {
            name: x for name, x in made.param_groups[0].items() if name not in ("params", *options)
        }
        self.offered: dict[str, object] = {**self._accepted, **self.grouped}
        for name in self.options:
            self.offered.pop(name, None)
        self.hints = _numbers(tuple(self.options.values()))
        # Of the last trial of a matrix: what was kept at its end, and which numbers changed.
        self.moving: set[str] = set()
        self.state: Named = {}
        self.group: Named = {}

    def _signature(self) -> tuple[Named, list[str]]:
        """The constructor's arguments with their defaults, and those that have none."""
        first, *parameters = inspect.signature(self.make).parameters.values()
        self.of_models = first.name in ("model", "module")
        named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        required = [p.name for p in named if p.default is p.empty and p.name not in self.options]
        if unknown := [name for name in required if name not in _REQUIRED]:
            raise BrokenBackend(
                f"{self.name}: its constructor needs {', '.join(unknown)} besides the parameters: "
                "wrap a function or functools.partial that gives them"
            )
        defaults = {p.name: _REQUIRED[p.name] for p in named if p.name in required}
        return {
            **{p.name: p.default for p in named if p.default is not p.empty},
            **defaults,
        }, required

    def _tried(self) -> tuple[torch.dtype, torch.optim.Optimizer]:
        """The widest format in which the optimizer steps, and an optimizer that has stepped."""
        problem: Exception | None = None
        tries = itertools.product(_DTYPES, (_dense, _sparse), ({}, _REQUIRED))
        for dtype, self.gradient, numbers in tries:
            param = torch.nn.Parameter(torch.ones(trials.MATRIX, dtype=dtype))
            param.grad = self.gradient(torch.ones(trials.MATRIX, dtype=dtype))
            try:
                made = self.built([{"params": [param]}], numbers)
                if not isinstance(made, torch.optim.Optimizer):
                    raise BrokenBackend(
                        f"{self.name}: makes a {type(made).__name__}, not a torch.optim.Optimizer"
                    )
                before = copy.copy(made.param_groups[0])
                made.step()
            except BrokenBackend:
                raise
            except Exception as error:
                problem = problem or error
            else:
                made.param_groups[0] = {k: x for k, x in before.items()}
                return dtype, made
        raise BrokenBackend(
            f"{self.name}: a step of one matrix raised {type(problem).__name__}: "
            + " ".join(str(problem).split())
        )

    def built(
        self, entries: Sequence[Named], numbers: Mapping[str, object]
    ) -> torch.optim.Optimizer:
        """The optimizer of these param_groups.

        numbers: what the constructor is given where a group has a number too, which the group's
        own replace afterwards: no constructor sees the rate of a group, which may be 0.
        """
        beside = {name: x for name, x in self.options.items() if name not in self._accepted}
        groups = [{"params": entry["params"], **beside} for entry in entries]
        subject = _model(groups) if self.of_models else groups
        options = {name: x for name, x in self.options.items() if name in self._accepted}
        own = {name: x for name, x in entries[0].items() if name in self._accepted}
        own = {name: x for name, x in own.items() if name not in getattr(self, "grouped", own)}
        known = {name: x for name, x in numbers.items() if name in self._accepted}
        required = {name: _REQUIRED[name] for name in self._required}
        try:
            made = self.make(subject, **{**known, **own, **required, **options})
        except (AssertionError, TypeError, ValueError):
            # Numbers that it takes by group alone, or of another type.
            made = self.make(subject, **{**required, **own, **options})
        for group, entry in zip(getattr(made, "param_groups", ()), entries, strict=False):
            known = {k: x for k, x in entry.items() if k != "params" and k in group}
            group.update(known)
        return made

    def trial(self, numbers: Mapping[str, object], param: Array, grads: Sequence[Array]) -> Trial:
        """Steps of a fresh optimizer of one tensor; raises BrokenBackend where it does not step."""
        p = torch.nn.Parameter(torch.tensor(param, dtype=self.dtype))
        params, states, groups = [_array(p)], [], []
        try:
            optimizer = self.built([{"params": [p], **numbers}], numbers)
            for g in grads:
                p.grad = self.gradient(torch.tensor(g, dtype=self.dtype))
                optimizer.step()
                params.append(_array(p))
                states.append(_snapshot(optimizer.state.get(p, {})))
                groups.append(_snapshot(optimizer.param_groups[0]))
        except Exception as error:
            text = " ".join(str(error).split())
            raise BrokenBackend(f"{self.name}: raised {type(error).__name__}: {text}") from error
        if param.ndim > 1:
            self.moving = {name for name, x in states[-1].items() if _moves(name, states)}
            self.state = dict(optimizer.state.get(p, {}))
            self.group = dict(optimizer.param_groups[0])
        return Trial([x.astype(_DTYPES[self.dtype]) for x in grads], params, states, groups)

    def backend(self, found: Found, arithmetic: str) -> Backend:
        """The backend of what was found."""
        members = {"name": self.name, "subject": self, "found": found}
        rows = (_row(self, found, arithmetic),)
        made: Backend = type("Backend", (Backend,), {**members, "rows": rows})()
        return made


def _model(groups: Sequence[Named]) -> torch.nn.Module:
    """For optimizers that are built of a model: one with these parameters."""
    model = torch.nn.Module()
    for j, param in enumerate(param for group in groups for param in group["params"]):
        model.register_parameter(f"weight{j}", param)
    return model


def _numbers(x: object) -> list[float]:
    """The numbers in a value, or in the tuples of it."""
    if isinstance(x, tuple):
        return [number for each in x for number in _numbers(each)]
    return [x] if isinstance(x, (int, float)) and not isinstance(x, bool) else []


def _dense(gradient: torch.Tensor) -> torch.Tensor:
    return gradient


def _sparse(gradient: torch.Tensor) -> torch.Tensor:
    """Of every row, for optimizers that take no other gradients."""
    rows = torch.arange(len(gradient))[None]
    return torch.sparse_coo_tensor(rows, gradient, gradient.shape, check_invariants=True)


def _array(tensor: torch.Tensor) -> Array:
    return tensor.detach().to(torch.float64).numpy().copy()


def _snapshot(kept: Mapping[str, Any]) -> Named:
    """What is kept by name: tensors as arrays, numbers as they are."""
    out: Named = {}
    for name, x in kept.items():
        if isinstance(x, torch.Tensor) and not x.is_sparse:
            out[name] = (
                x.detach().clone().to(torch.float64).numpy()
                if x.is_floating_point()
                else (x.detach().clone().numpy())
            )
        elif isinstance(x, (int, float, bool)):
            out[name] = x
    return out


def _moves(name: str, states: Sequence[Named]) -> bool:
    """Whether a number is not the same after every step."""
    values = [each.get(name) for each in states]
    return np.size(values[-1]) == 1 and any(x != values[0] for x in values)


def _row(subject: Class, found: Found, arithmetic: str) -> Row:
    """The row that a hand-written table would have."""
    apart = any(n.removeprefix("-") not in subject.grouped for n in found.numbers.values())
    tensors, scalars, shared, parts = {}, {}, {}, {}
    for ours, place in found.state.items():
        if place.where == "group":
            shared[ours] = place.name
        elif place.parts:
            parts[ours] = place
        elif np.ndim(place.like) == 0 or np.size(place.like) == 1:
            scalars[ours] = place
        else:
            tensors[ours] = f"{'-' if place.negative else ''}{place.name}"
    counter = found.counter
    if counter and counter.where == "group":
        shared["t"] = counter.name
    return Row(
        found.rule,
        subject.name,
        tensors,
        {ours: theirs for ours, theirs in found.numbers.items() if ours != "lr"},
        dialect=found.dialect,
        fixed=found.fixed,
        paths={"": {}},
        arithmetic={"float32": arithmetic},
        counter=counter.name if counter and counter.where == "state" else "",
        shared=shared,
        apart=apart or bool(shared) or subject.of_models,
        squeezed={f: p.squeezed for f, p in found.state.items() if p.squeezed is not None},
        shapes=found.shapes,
        single=found.single,
        given="vectors" if subject.gradient is _sparse else "views",
        bridge=_bridge(subject, found, scalars, parts),
    )


def _bridge(
    subject: Class, found: Found, scalars: Mapping[str, Place], parts: Mapping[str, Place]
) -> Bridge:
    """Numbers in the types that the optimizer keeps them in, and what else it keeps."""
    kept = dict(subject.state)
    known = {place.name for place in found.state.values()}
    if found.counter:
        known.add(found.counter.name)
    series = tuple(place.name for place in parts.values())
    rest = {
        name: x
        for name, x in kept.items()
        if name not in known and name.rstrip("0123456789") not in series
    }
    moving = [name for name in rest if name in subject.moving]

    def enter(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
        for ours, place in scalars.items():
            sign = -1 if place.negative else 1
            state[place.name] = _typed(sign * float(slot.state[ours]), kept[place.name], slot)
        for place in found.state.values():
            like = kept.get(place.name)
            if isinstance(like, torch.Tensor) and like.dtype != subject.dtype:
                # In this format, whatever the parameter's.
                state[place.name] = state[place.name].to(like.dtype)
        for ours, place in parts.items():
            state.update(_parted(place, slot.state[ours], slot.param.shape))
        for name, x in rest.items():
            state.setdefault(name, _blank(x, slot))
        if moving:
            state.update(_of_the_last_step(subject, slot, group, state, moving, found.counter))
        for ours, place in found.state.items():
            if place.where == "group":
                like = subject.group[place.name]
                group[place.name] = _typed(float(slot.state[ours]), like, slot)
        for name, x in subject.group.items():
            if name not in group:
                group[name] = copy.deepcopy(x)

    def leave(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
        joined = {ours: _joined(place, state, slot) for ours, place in parts.items()}
        return joined | {
            ours: number((-1 if place.negative else 1) * float(state[place.name]), slot.state[ours])
            for ours, place in scalars.items()
            if place.name in state
        }

    return Bridge(enter=enter, leave=leave, gradient=subject.gradient)


def _parted(place: Place, joined: Array, shape: tuple[int, ...]) -> Named:
    """What the optimizer keeps for every axis, of what the reference joins."""
    due = matching.shapes(place.parts, shape)
    ends = np.cumsum([math.prod(each) for each in due])[:-1]
    return {
        f"{place.name}{axis}": to_tensor(np.array(part).reshape(each))
        for axis, (part, each) in enumerate(zip(np.split(joined, ends), due, strict=True))
    }


def _joined(place: Place, state: Named, slot: Slot) -> Array:
    """What the optimizer keeps for every axis, joined."""
    due = matching.shapes(place.parts, slot.param.shape)
    return np.concatenate(
        [
            from_tensor(state[f"{place.name}{axis}"].contiguous()).reshape(-1)
            for axis in range(len(due))
        ]
    )


def _typed(value: float, like: object, slot: Slot) -> object:
    """A number as the optimizer keeps it."""
    if isinstance(like, torch.Tensor):
        # float64 only where the parameter is: trials are in float64.
        narrow = like.dtype == torch.float64 and slot.param.dtype != np.float64
        dtype = torch.float32 if narrow else like.dtype
        return torch.full(like.shape, value, dtype=dtype)
    return type(like)(value)  # type: ignore[call-arg]


def _of_the_last_step(
    subject: Class, slot: Slot, group: Named, state: Named, names: Sequence[str],
    counter: Place | None,
) -> Named:  # fmt: skip
    """Numbers that every step leaves for the next: a step of one element, to this count, does."""
    one = torch.nn.Parameter(torch.zeros(1, dtype=to_tensor(slot.param).dtype))
    one.grad = subject.gradient(torch.zeros_like(one))
    optimizer = subject.built([{**group, "params": [one]}], {})
    before = slot.state["t"] - 1
    if before and counter and counter.where == "state":
        like = {name: x.clone() if isinstance(x, torch.Tensor) else x for name, x in state.items()}
        blank = {
            name: torch.zeros(1, dtype=x.dtype)
            if isinstance(x, torch.Tensor) and x.shape == slot.param.shape and x.ndim
            else x
            for name, x in like.items()
        }
        optimizer.state[one].update(blank)
        optimizer.state[one][counter.name] = _typed(
            before + counter.ahead, subject.state[counter.name], slot
        )
    optimizer.step()
    return {name: optimizer.state[one][name] for name in names}


def _blank(x: object, slot: Slot) -> object:
    """What the optimizer keeps besides the rule's state, for a tensor of another shape."""
    if isinstance(x, torch.Tensor) and tuple(x.shape) == trials.MATRIX:
        return torch.zeros_like(
            to_tensor(slot.param), dtype=None if x.is_floating_point() else x.dtype
        )
    scalar = x.numel() == 1 if isinstance(x, torch.Tensor) else isinstance(x, (int, float))
    if scalar and x == math.prod(trials.MATRIX):
        # The number of elements.
        return _typed(slot.param.size, x, slot)
    return copy.deepcopy(x)


class Backend(torch_like.Backend):
    """An optimizer whose row was found."""

    subject: ClassVar[Class]
    found: ClassVar[Found]
    fixed: ClassVar[Mapping[str, Fixed]] = {}
    warns = True

    @property
    def declaration(self) -> str:
        """What was found, in one line."""
        return told.declaration(self.found, self.rows[0].arithmetic["float32"])

    def build(self, row: Row, entries: list[Named]) -> torch.optim.Optimizer:
        """The optimizer of these param_groups."""
        name = self.found.numbers.get("lr")
        for entry in entries:
            rate = entry.pop("lr", None)
            if name:
                entry[name] = rate
        ours = self.found.numbers
        rule = OPTIMIZERS[self.found.rule]
        safe = {**trials.alive(rule), **{f: self.found.hyper[f] for f in ours}}
        return self.subject.built(entries, search.renamed(ours, safe))

    def parameter(self, array: Array) -> torch.Tensor:
        """Which a model can have."""
        return torch.nn.Parameter(to_tensor(array))

    def count(self, t: int) -> object:
        """The number of steps made as the optimizer keeps it."""
        place = self.found.counter
        if place is None:
            return int(t)
        kept = self.subject.state if place.where == "state" else self.subject.group
        like, t = kept[place.name], int(t) + place.ahead
        if isinstance(like, torch.Tensor):
            return torch.full(like.shape, t, dtype=like.dtype)
        return type(like)(t)

    def read(self, row: Row, hyper: Hyper, slot: Slot, entry: Named, state: Named) -> Named:
        """The reference's state, from the optimizer's after the step."""
        out = super().read(row, hyper, slot, entry, state)
        place = self.found.counter
        if place is not None:
            out["t"] -= place.ahead
        return out


def wrapped(
    make: Make,
    rule: str | None = None,
    arithmetic: str | None = None,
    options: Mapping[str, object] | None = None,
) -> Backend:
    """A backend of an optimizer's class: see truestep.wrap.torch."""
    if not callable(make) or (
        inspect.isclass(make) and not issubclass(make, torch.optim.Optimizer)
    ):
        raise BrokenBackend(f"{make!r} is no torch.optim.Optimizer, and no function that makes one")
    given = dict(options or {})
    if rule and rule in inspect.signature(make).parameters:
        given.setdefault(rule, True)  # as amsgrad and nesterov are switched on
    subject = Class(make, given)
    tried = search.best(subject, rule)

    def build(found: Found) -> tuple[OptimizerBackend, Capability]:
        backend = subject.backend(found, arithmetic or told.arithmetic(found))
        [capability] = backend.capabilities()
        return backend, capability

    try:
        found = probes.settled(tried, build)
    except BrokenBackend as error:
        raise BrokenBackend(f"{subject.name}: {error}") from error
    return subject.backend(found, arithmetic or told.arithmetic(found))
