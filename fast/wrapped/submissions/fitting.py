"""Which of a task's inputs and outputs are a rule's tensors and numbers: by name, else by value.

By value: the task's own solution, or where there is none the submission, makes one step from a
known state, and what comes back is compared with the reference's.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from truestep.fast.locating import BrokenBackend
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array, Slot
from truestep.fast.wrapped.names import renamed
from truestep.fast.wrapped.submissions.asked import Asked
from truestep.fast.wrapped.submissions.naming import (
    is_number_of,
    numbers_of,
    paired_tensors,
    plain,
    roles_of,
)
from truestep.fast.wrapped.submissions.probe import Probe, tensor_of
from truestep.fast.wrapped.submissions.task import Call, Task
from truestep.fast.wrapped.trials import Named
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.rules import Optimizer

# What a task counts: the step that is made, or the steps made before it.
_AHEAD = (1, 0)
# Of which tensor a value is: nearer than another dialect is, and far from any other tensor.
_WITHIN = 0.25
# Ways to give tensors to inputs without names that are tried.
_MOST_WAYS = 720


@dataclass(frozen=True, slots=True)
class Fit:
    """How a task is called for a step of a rule, and read.

    tensors: the rule's tensor by the input's name. buffers: the same of inputs that are only
    written. numbers: the rule's fields and what the task calls them. counter: what it calls the
    number of steps, and by how much it is ahead of the steps made. outputs: where a tensor is
    returned, by key or place; one that is not in it is changed in place. hidden: of the state, what
    the task does not give back. rank: of the tensors of rules that go element by element, 0: any.
    """

    task: Task
    tensors: Mapping[str, str]
    numbers: Mapping[str, str]
    buffers: Mapping[str, str] = field(default_factory=dict)
    counter: str = ""
    ahead: int = 1
    outputs: Mapping[str, str | int] = field(default_factory=dict)
    hidden: Sequence[str] = ()
    rank: int = 0

    def called(self, call: Call, hyper: Hyper, slot: Slot) -> tuple[object, Named]:
        """What a call returns, and what it was given, which it may have written."""
        values = {name: getattr(hyper, name) for name in self.numbers}
        named = renamed(self.numbers, values)
        if self.counter:
            named[self.counter] = slot.state["t"] + self.ahead
        given = {name: self._input(name, named, slot) for name in self.task.inputs}
        numbers = {name: named.get(name, x) for name, x in self.task.numbers.items()}
        return call(given, numbers), given

    def _input(self, name: str, named: Named, slot: Slot) -> object:
        example = self.task.examples.get(name)
        if name in named:
            whole = isinstance(example, torch.Tensor)
            return torch.full_like(example, named[name]) if whole else named[name]
        role = self.tensors.get(name) or self.buffers.get(name)
        if role is None:
            return example
        array = np.ascontiguousarray(tensor_of(slot, role)).reshape(tensor_of(slot, role).shape)
        if self.rank and array.shape == slot.param.shape and array.ndim != self.rank:
            array = array.reshape((1,) * (self.rank - 1) + (-1,))
        tensor = to_tensor(array.copy()).to("cuda" if torch.cuda.is_available() else "cpu")
        return tensor if name in self.tensors else torch.full_like(tensor, torch.nan)

    def found(self, role: str, returned: object, given: Named) -> torch.Tensor:
        """The tensor of the rule after the step; raises TypeError where none is there."""
        where = self.outputs.get(role)
        if where is None or returned is None:
            places = {r: name for name, r in (*self.tensors.items(), *self.buffers.items())}
            x = given[places[role]]
        elif isinstance(returned, Mapping):
            x = returned.get(where)
        else:
            items = _items(returned)
            x = items[where] if isinstance(where, int) and where < len(items) else None
        if not isinstance(x, torch.Tensor):
            got = type(returned).__name__
            raise TypeError(f"no tensor is at {where!r} of the {got} returned, where {role} is due")
        return x


def fitted(task: Task, asked: Asked) -> tuple[Fit, Call]:
    """How the task fits the rule, and the submission; raises BrokenBackend where nothing tells."""
    rule = OPTIMIZERS[asked.rule]
    numbers, counter = numbers_of(task, rule)
    tensors = [name for name in task.inputs if not is_number_of(task, rule, name)]
    roles = roles_of(rule)
    named = paired_tensors(tensors, roles)
    left = [name for name in tensors if name not in named]
    known = {plain(name): role for name, role in named.items()}
    buffers = {name: known[plain(name)] for name in left if plain(name) in known}
    start = Fit(task, named, numbers, buffers, counter, rank=_rank(task, rule, named))
    call = task.baseline or task.candidate()
    probe = Probe.of(rule, asked, numbers)
    fit = _nearest(start, roles, [n for n in tensors if n not in {**named, **buffers}], call, probe)
    outputs, hidden = _given_back(fit, call, probe)
    return replace(fit, outputs=outputs, hidden=hidden), task.candidate() if task.baseline else call


def _rank(task: Task, rule: Optimizer, named: Mapping[str, str]) -> int:
    example = next((task.examples.get(name) for name, role in named.items() if role == "p"), None)
    if isinstance(example, torch.Tensor) and rule.FACTS.elementwise:
        rank: int = example.ndim
        return rank
    return 0


def _nearest(
    start: Fit, roles: Sequence[str], untold: Sequence[str], call: Call, probe: Probe
) -> Fit:
    """The fit whose step comes nearest the reference's, among those that the names leave open."""
    open_ = [role for role in roles if role not in start.tensors.values()]
    if len(untold) < len(open_):
        # State that a step leaves as it is, at the numbers that the task holds, need not be given.
        open_ = [role for role in open_ if not probe.kept(role)]
    if len(untold) < len(open_):
        inputs = ", ".join(start.task.inputs)
        raise BrokenBackend(
            f"{start.task.name}: no input is the rule's {', '.join(open_)}; its inputs are {inputs}"
        )
    if len(untold) > len(open_) and not open_:
        raise BrokenBackend(f"{start.task.name}: nothing tells what its input {untold[0]!r} is")
    ways = list(itertools.islice(itertools.permutations(untold, len(open_)), _MOST_WAYS))
    fits = [
        replace(start, tensors={**start.tensors, **dict(zip(way, open_, strict=True))}, ahead=ahead)
        for way in ways
        for ahead in (_AHEAD if start.counter else _AHEAD[:1])
    ]
    if len(fits) == 1:
        return fits[0]
    errors = [_error(fit, call, probe) for fit in fits]
    best = int(np.argmin(errors))
    if len(ways) > 1 and not errors[best] < _WITHIN:
        told = f"nothing tells which of its inputs {', '.join(untold)} are {', '.join(open_)}"
        raise BrokenBackend(
            f"{start.task.name}: {told}: by name none is, and a step is none of the rule's"
        )
    return fits[best]


def _error(fit: Fit, call: Call, probe: Probe) -> float:
    """How far the nearest tensor that comes back is from the reference's p."""
    returned, given = fit.called(call, probe.hyper, probe.slot)
    tensors = [x for x in given.values() if isinstance(x, torch.Tensor)]
    return min(probe.apart("p", x) for x in (*_returned(returned).values(), *tensors))


def _given_back(fit: Fit, call: Call, probe: Probe) -> tuple[dict[str, str | int], list[str]]:
    """Where each tensor is returned, and which come back nowhere though a step changes them."""
    returned, given = fit.called(call, probe.hyper, probe.slot)
    roles = [role for role in ("p", *probe.slot.state) if role in fit.tensors.values()]
    items = _returned(returned)
    told = {str(place): place for place in items} if isinstance(returned, Mapping) else {}
    if not told and len(fit.task.returns) == len(items):
        told = dict(zip(fit.task.returns, items, strict=True))
    outputs = {role: told[name] for name, role in paired_tensors(list(told), roles).items()}
    if not outputs and len(items) == 1:
        outputs["p"] = next(iter(items))
    for role in roles:
        left = {place: x for place, x in items.items() if place not in outputs.values()}
        if role not in outputs and left:
            near = {place: probe.apart(role, x) for place, x in left.items()}
            if near[place := min(near, key=near.__getitem__)] < _WITHIN:
                outputs[role] = place
    open_ = [role for role in roles if role not in outputs]
    untold = [place for place in items if place not in outputs.values()]
    if len(untold) == len(open_):
        # In the order of the inputs, where nothing else tells.
        outputs |= dict(zip(open_, untold, strict=True))
    if fit.task.baseline is None:
        return outputs, []
    unchanged = [
        role
        for role in open_
        if role not in outputs and _same(fit.found(role, None, given), tensor_of(probe.slot, role))
    ]
    if "p" in unchanged:
        raise BrokenBackend(f"{fit.task.name}: the task's own step returns no p, and changes none")
    return outputs, [role for role in unchanged if probe.moves(role)]


def _same(tensor: torch.Tensor, array: Array) -> bool:
    return np.array_equal(from_tensor(tensor.cpu()).ravel(), array.ravel())


def _returned(returned: object) -> dict[str | int, torch.Tensor]:
    """The tensors that are returned, by key or place."""
    items = returned.items() if isinstance(returned, Mapping) else enumerate(_items(returned))
    return {where: x for where, x in items if isinstance(x, torch.Tensor)}


def _items(returned: object) -> list[object]:
    return list(returned) if isinstance(returned, (list, tuple)) else [returned]
