"""What an optimizer keeps elsewhere than in state[p], as if it stood there.

People write m = [zeros_like(p) for p in params], self.t += 1, p.exp_avg = ..., or keep a count
under a name in the optimizer's state; and classes with a step() that are no torch.optim.Optimizer.
Gathered stands before such an optimizer: it writes what it was handed where the optimizer keeps it,
lets it step, and collects it again. Names tell the place: "self.m" of the optimizer, "p.m" of the
parameter. Of lists and dictionaries with one entry for each parameter the entry is meant.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import torch

from truestep.fast.wrapped.leaves import Leaf, Walk
from truestep.fast.wrapped.trials import Named

# How a step calls the gradients that it is handed.
_GRADIENTS = ("grads", "gradients", "gs")


class Gathered:
    """An optimizer whose state[p] has what the optimizer keeps elsewhere too.

    kept: the names of that. What makes steps and is no torch.optim.Optimizer has one group, and no
    numbers in it.
    """

    def __init__(self, inner: Any, params: Sequence[torch.Tensor], kept: Sequence[str]) -> None:
        own = inner.param_groups if isinstance(inner, torch.optim.Optimizer) else None
        self.inner, self.kept, self.stepped = inner, kept, False
        self.param_groups = own or [{"params": list(params)}]
        self.params = list(params)
        self.state: defaultdict[torch.Tensor, Named] = defaultdict(dict)

    def step(self) -> None:
        """A step: the first is made from what state holds, where it holds something."""
        if not self.stepped and any(self.state.values()):
            self._primed()
            for i, p in enumerate(self.params):
                places = leaves(self.inner, self.params, i)
                for name, x in self.state[p].items():
                    if name in self.kept:
                        places[name].put(x)
                    else:
                        self.inner.state[p][name] = x
        self._step()
        self.stepped = True
        for i, p in enumerate(self.params):
            places = leaves(self.inner, self.params, i)
            elsewhere = {name: places[name].x for name in self.kept if name in places}
            own = isinstance(self.inner, torch.optim.Optimizer)
            self.state[p] = {**(self.inner.state.get(p, {}) if own else {}), **elsewhere}

    def _primed(self) -> None:
        """A step that leaves the parameters: some make the places of their state in their first."""
        held = [(p.detach().clone(), p.grad) for p in self.params]
        for p in self.params:
            p.grad = torch.ones_like(p)
        self._step()
        with torch.no_grad():
            for p, (x, grad) in zip(self.params, held, strict=True):
                p.copy_(x)
                p.grad = grad

    def _step(self) -> None:
        given = [p for p in inspect.signature(self.inner.step).parameters if p in _GRADIENTS]
        self.inner.step(**{name: [p.grad for p in self.params] for name in given})


def leaves(optimizer: Any, params: Sequence[torch.Tensor], i: int) -> dict[str, Leaf]:
    """What is kept of the i-th parameter outside of a torch.optim.Optimizer's state[p], by name."""
    found: dict[str, Leaf] = {}
    homes: list[tuple[str, dict[Any, Any]]] = [("self", vars(optimizer)), ("p", vars(params[i]))]
    if isinstance(optimizer, torch.optim.Optimizer):
        homes.append(("state", optimizer.state))
        homes += [("group", each) for each in optimizer.param_groups if _holds(each, params[i])]
    for kind, home in homes:
        for name, x in list(home.items()):
            if isinstance(name, str) and not _known(kind, name, x, optimizer):
                walk = Walk(params, i, shared=kind != "p")
                found |= walk.found(f"{kind}.{name}", x, partial(home.__setitem__, name))
    return found


def changing(optimizer: Any, params: Sequence[torch.Tensor]) -> dict[str, bool]:
    """The names of what two steps change there, and which of it is shared; the optimizer is used.

    What a step makes has changed.
    """
    gathered = Gathered(optimizer, params, ())
    seen = []
    for size in (0.0, 1.0, 0.5):
        if size:
            for p in params:
                p.grad = torch.full_like(p, size)
            gathered._step()
        kept = leaves(optimizer, params, 0)
        # Of what is changed in place, the value.
        seen.append({name: (torch.as_tensor(each.x).clone(), each) for name, each in kept.items()})
    return {
        name: each.shared
        for name, (x, each) in seen[-1].items()
        if any(name not in one or not torch.equal(one[name][0], x) for one in seen)
    }


def _known(kind: str, name: str, x: object, optimizer: object) -> bool:
    """Whether that is found otherwise, or is none of a step's."""
    if kind == "group":  # numbers are a trial's own
        return name == "params" or not isinstance(x, (dict, list))
    return kind == "self" and isinstance(optimizer, torch.optim.Optimizer) and name in _own()


@cache
def _own() -> frozenset[str]:
    """What every optimizer of torch's has; to make one loads torch's compiler."""
    return frozenset(vars(torch.optim.SGD([torch.zeros(1)], lr=1.0)))


def _holds(group: Named, param: torch.Tensor) -> bool:
    return any(p is param for p in group["params"])
