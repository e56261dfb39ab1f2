"""What was found of a torch.optim.Optimizer, as a row of a hand-written table."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from truestep.fast.peers.torch_like import Bridge, Named, Row, number
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array, Slot
from truestep.fast.wrapped import counted, matching, nested, trials
from truestep.fast.wrapped.counted import Counted
from truestep.fast.wrapped.matching import Place
from truestep.fast.wrapped.search import Found
from truestep.fast.wrapped.torch_classes import Class, sparse
from truestep.reference.declared import Hyper


def row_of(subject: Class, found: Found, arithmetic: str | tuple[str, ...]) -> Row:
    """The row that a hand-written table would have."""
    apart = any(n.removeprefix("-") not in subject.grouped for n in found.numbers.values())
    tensors, scalars, shared, parts, deep = {}, {}, {}, {}, {}
    for ours, place in found.state.items():
        if place.where == "group":
            shared[ours] = place.name
        elif place.parts:
            parts[ours] = place
        elif nested.is_path(place.name):
            deep[ours] = place
        elif np.ndim(place.like) == 0 or np.size(place.like) == 1:
            scalars[ours] = place
        else:
            tensors[ours] = f"{'-' if place.negative else ''}{place.name}"
    counter = found.counter
    if counter and counter.where == "group":
        shared["t"] = counter.name
    key = None
    if subject.kept:
        key = _count if any(subject.kept.values()) else _begun
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
        key=key,
        apart=apart or bool(shared) or subject.flat or subject.of_models or key is not None,
        squeezed={f: p.squeezed for f, p in found.state.items() if p.squeezed is not None},
        shapes=found.shapes,
        single=found.single,
        given="vectors" if subject.gradient is sparse else "views",
        bridge=_bridge(subject, found, scalars, parts, deep),
    )


def _count(hyper: Hyper, slot: Slot) -> int:
    """Tensors that share a count have the same."""
    return int(slot.state["t"])


def _begun(hyper: Hyper, slot: Slot) -> bool:
    """What is handed no state begins with the optimizer's own."""
    return bool(slot.state["t"])


def _bridge(
    subject: Class,
    found: Found,
    scalars: Mapping[str, Place],
    parts: Mapping[str, Place],
    deep: Mapping[str, Place],
) -> Bridge:
    """Numbers in the types that the optimizer keeps them in, and what else it keeps."""
    kept = dict(subject.state)
    following = _counted(subject, found)
    rest = _rest(kept, found, following)
    moving = [name for name in rest if name in subject.moving]
    primed = bool(parts or deep) or any(map(nested.is_path, _names(kept)))
    primed = primed or _has_numbers(rest, moving)

    def enter(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
        for ours, place in scalars.items():
            sign = -1 if place.negative else 1
            state[place.name] = _typed(sign * float(slot.state[ours]), kept[place.name], slot)
        for place in found.state.values():
            like = kept.get(place.name)
            if isinstance(like, torch.Tensor) and like.dtype != subject.dtype:
                # In this format, whatever the parameter's.
                state[place.name] = state[place.name].to(like.dtype)
        if primed:
            for name, x in _primed(subject, slot, group).items():
                state.setdefault(name, x)
        for name in rest.keys() & set(subject.copies):
            state[name] = to_tensor(slot.param).to(kept[name].dtype)
        for name, tensor in _placed(slot, state, parts, deep):
            nested.put(state, name, tensor)
        for name, x in rest.items():
            state.setdefault(name, _blank(x, slot))
        if moving:
            state.update(_of_the_last_step(subject, found, slot, group, state, moving))
        numbers = {ours: getattr(hyper, ours) for ours in found.hyper}
        for name, value in following.items():
            state[name] = _typed(value(numbers, slot.state["t"]), kept[name], slot)
        _enter_group(subject, found, slot, group)

    def leave(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
        joined = {ours: _joined(place, state, slot) for ours, place in parts.items()}
        for ours, place in deep.items():
            like = slot.state[ours]
            if like.size:
                x = from_tensor(nested.get(state, place.name).contiguous()).reshape(like.shape)
                joined[ours] = np.asarray(-x if place.negative else x, like.dtype)
        return joined | {
            ours: number((-1 if place.negative else 1) * float(state[place.name]), slot.state[ours])
            for ours, place in scalars.items()
            if place.name in state
        }

    return Bridge(enter=enter, leave=leave, gradient=subject.gradient)


def _enter_group(subject: Class, found: Found, slot: Slot, group: Named) -> None:
    """What a group keeps, into it."""
    for ours, place in found.state.items():
        if place.where == "group":
            like = subject.group[place.name]
            group[place.name] = _typed(float(slot.state[ours]), like, slot)
    for name, x in subject.group.items():
        if name not in group:
            group[name] = copy.deepcopy(x)


def _counted(subject: Class, found: Found) -> Mapping[str, Counted]:
    """The numbers of the state that follow from the count of steps."""
    known = {place.name for place in found.state.values()}
    every = {
        name: counted.recognized(values, found.hyper)
        for name, values in subject.moving.items()
        if name not in known and not nested.is_path(name)
    }
    return {name: function for name, function in every.items() if function is not None}


def _rest(kept: Named, found: Found, following: Mapping[str, Counted]) -> Named:
    """What is kept besides the rule's state, the counter, and what follows from it."""
    places = list(found.state.values())
    known = {place.name for place in places} | following.keys()
    if found.counter:
        known.add(found.counter.name)
    series = tuple(place.name for place in places if place.parts)
    return {
        name: x
        for name, x in kept.items()
        if name not in known and name.rstrip("0123456789") not in series
    }


def _names(kept: Named) -> list[str]:
    return [name for name, _ in nested.entries(kept)]


def _has_numbers(rest: Named, moving: Sequence[str]) -> bool:
    """Whether it keeps numbers that may be of its constructor."""
    return any(isinstance(x, (int, float)) and name not in moving for name, x in rest.items())


def _primed(subject: Class, slot: Slot, group: Named) -> Named:
    """What the optimizer keeps of a tensor of this shape after a step of its own."""
    one = torch.nn.Parameter(to_tensor(slot.param).clone())
    drawn = np.random.default_rng(0).normal(size=slot.param.shape).astype(slot.param.dtype)
    one.grad = subject.gradient(to_tensor(np.asarray(drawn)))
    optimizer = subject.built([{**group, "params": [one]}], {})
    optimizer.step()
    return dict(optimizer.state[one])


def _placed(
    slot: Slot, state: Named, parts: Mapping[str, Place], deep: Mapping[str, Place]
) -> Iterator[tuple[str, torch.Tensor]]:
    """What the optimizer keeps for every axis, or in a container, by where."""
    for ours, place in parts.items():
        due = _parts(place, state, slot)
        ends = np.cumsum([x.numel() for x in due.values()])[:-1]
        for (name, x), part in zip(due.items(), np.split(slot.state[ours], ends), strict=False):
            yield name, to_tensor(np.array(part).reshape(x.shape))
    for ours, place in deep.items():
        x = slot.state[ours]
        if x.size:
            if place.squeezed is not None and x.ndim > 1:
                x = x.squeeze(place.squeezed)
            yield place.name, to_tensor(np.array(-x if place.negative else x))


def _joined(place: Place, state: Named, slot: Slot) -> Array:
    """What the optimizer keeps for every axis, joined."""
    kept = [from_tensor(x.contiguous()) for x in _parts(place, state, slot).values()]
    return np.concatenate([np.zeros(0, slot.param.dtype), *map(np.ravel, kept)])


def _parts(place: Place, state: Named, slot: Slot) -> dict[str, torch.Tensor]:
    """What the optimizer keeps of those axes of which it keeps something, by name."""
    axes = len(matching.shapes(place.parts, slot.param.shape))
    kept, due = dict(nested.entries(state)), [f"{place.name}{axis}" for axis in range(axes)]
    return {name: kept[name] for name in due if name in kept}


def _typed(value: float, like: object, slot: Slot) -> object:
    """A number as the optimizer keeps it."""
    if isinstance(like, torch.Tensor):
        # float64 only where the parameter is: trials are in float64.
        narrow = like.dtype == torch.float64 and slot.param.dtype != np.float64
        dtype = torch.float32 if narrow else like.dtype
        return torch.full(like.shape, value, dtype=dtype)
    return type(like)(value)  # type: ignore[call-arg]


def _of_the_last_step(
    subject: Class, found: Found, slot: Slot, group: Named, state: Named, names: Sequence[str]
) -> Named:
    """Numbers that every step leaves for the next: a step of one element, to this count, does."""
    one = torch.nn.Parameter(torch.zeros(1, dtype=to_tensor(slot.param).dtype))
    one.grad = subject.gradient(torch.zeros_like(one))
    optimizer = subject.built([{**group, "params": [one]}], {})
    before, counter = slot.state["t"] - 1, found.counter
    if before and counter and counter.where == "state":
        tensors = [place.name for place in found.state.values()]
        held = {name: x.clone() if isinstance(x, torch.Tensor) else x for name, x in state.items()}
        held |= {name: torch.zeros(1, dtype=held[name].dtype) for name in tensors if name in held}
        kept = subject.state[counter.name]
        held[counter.name] = _typed(before + counter.ahead, kept, slot)
        optimizer.state[one].update(held)
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
