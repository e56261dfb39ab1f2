"""Objects with a life, of every library whose optimizers are like torch's: one bridge for all.

A library's rows say which classes it has and what they take; a World runs one program on one of
them. Over 300 lines: what is done to an object, and what is seen of it, are one vocabulary.
"""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler as Scheduler

from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import (
    Array,
    Capability,
    Level,
    LifeCapability,
    Observation,
    Operation,
    Program,
    Shapes,
)

Named = dict[str, Any]

# In a row of copies: how many after one another are alike, and how many factors there are.
_ALIKE, _FACTORS = 96, 5

# What every class of torch.optim takes.
ALL = ("added_groups", "closure", "formats", "groups", "none")


@dataclass(frozen=True, slots=True)
class Life:
    """One class as an object with a life.

    variant: its name. make(groups, **numbers): the optimizer. attach(optimizer, **last_epoch): the
    scheduler, of which there is none where this is None; otherwise: the same, with other arguments.
    numbers, wrong, offers, shapes, dialect, level: see LifeCapability. sparse:
    whether gradients are sparse. searches: whether every step evaluates a closure, which then is of
    a quadratic function. copies: how long a row is that every element becomes, itself times powers
    of two, where tensors have to have a size.
    """

    variant: str
    make: Callable[..., Optimizer]
    attach: Callable[..., Scheduler] | None = None
    otherwise: Callable[..., Scheduler] | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)
    wrong: Mapping[str, float] = field(default_factory=dict)
    offers: tuple[str, ...] = ALL
    shapes: Shapes = "any"
    dialect: Mapping[str, str] = field(default_factory=dict)
    level: Level = "smoke"
    sparse: bool = False
    searches: bool = False
    copies: int = 1

    @property
    def capability(self) -> LifeCapability:
        """What is declared of it."""
        return LifeCapability(
            rule="optimizer" if self.attach is None else "scheduler",
            variant=self.variant,
            dialect=self.dialect,
            level=self.level,
            shapes=self.shapes,
            numbers=self.numbers,
            wrong=self.wrong,
            offers=self.offers,
        )


def lived(
    rows: Sequence[Life], capability: Capability, programs: Sequence[Program]
) -> list[list[Observation]]:
    """What is seen in lives of the class that a capability stands for."""
    own = (capability.rule, capability.variant)
    row = next(row for row in rows if (row.capability.rule, row.variant) == own)
    usual = torch.get_default_dtype()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [_seen(row, program) for program in programs]
    finally:
        torch.set_default_dtype(usual)


def _seen(row: Life, program: Program) -> list[Observation]:
    torch.set_default_dtype(torch.float32)
    # torch.manual_seed has every device that there is not note where it was called from.
    torch.default_generator.manual_seed(0)
    world = World(row)
    for at, operation in enumerate(program):
        try:
            world.do(operation)
        except Exception as error:
            text = str(error).partition("\n")[0]
            return [*world.seen, {"raised": type(error).__name__, "text": text, "at": at}]
    return world.seen


class World:
    """One object, its parameters, and its scheduler where it has one."""

    def __init__(self, row: Life) -> None:
        self.row = row
        self.seen: list[Observation] = []
        self._params: list[torch.Tensor] = []
        # How many parameters each group has, and what it was given besides.
        self._groups: list[tuple[int, Named]] = []
        self._made: Operation = {}
        self._optimizer: Optimizer = None
        self._scheduler: Scheduler = None
        self._loss: list[float] = []

    def do(self, operation: Operation) -> None:
        """One operation; whatever the library raises passes."""
        getattr(self, f"_{operation['do']}")(operation)

    def _make(self, op: Operation) -> None:
        self._made = op
        for group in op["groups"]:
            self._joined(group)
        self._optimizer = self._constructed(self._params)
        if self.row.attach is not None and op.get("attached", True):
            self._scheduler = self.row.attach(self._optimizer)

    def _attach(self, op: Operation) -> None:
        assert self.row.attach is not None
        self._scheduler = self.row.attach(self._optimizer, **_last_epoch(op))

    def _step(self, op: Operation) -> None:
        grads = [None if g is None else self._tensor(g) for g in op["grads"]]
        if op.get("closure") or self.row.searches:
            first: list[float] = []
            returned = self._optimizer.step(lambda: self._evaluated(grads, first))
            self._loss = [first[0], *([] if returned is None else [float(returned)])]
        else:
            self._given(grads)
            self._optimizer.step()
        if self._scheduler is not None and op.get("ticks", True):
            takes = "metric" in self.row.offers
            self._scheduler.step(*([op["metric"]] if takes else []))

    def _set(self, op: Operation) -> None:
        group = self._optimizer.param_groups[op["group"]]
        name, _, place = op["name"].partition(".")
        if isinstance(group[name], torch.Tensor):
            group[name].fill_(op["value"])
        elif place:
            values = list(group[name])
            values[int(place)] = op["value"]
            group[name] = tuple(values)
        else:
            group[name] = op["value"]

    def _add(self, op: Operation) -> None:
        self._joined(op["group"])
        count, options = self._groups[-1]
        self._optimizer.add_param_group({"params": self._params[-count:], **_joined(options)})

    def _repeat(self, op: Operation) -> None:
        group = self._optimizer.param_groups[op["group"]]
        self._optimizer.add_param_group({"params": list(group["params"])})

    def _renew(self, op: Operation) -> None:
        self._become(self._renewed(op))

    def _fork(self, op: Operation) -> None:
        late = op.get("late", False)
        other = self._renewed({**op, "load": not late})
        held = [x.state_dict() for x in (self._optimizer, self._scheduler) if late and x]
        acts, stays = (other, self) if op["stay"] == "original" else (self, other)
        for operation in op["program"]:
            acts.do(operation)
        for new, state in zip((other._optimizer, other._scheduler), held, strict=False):
            new.load_state_dict(state)
        self._become(stays)

    def _format(self, op: Operation) -> None:
        torch.set_default_dtype(getattr(torch, op["name"]))

    def _look(self, op: Operation) -> None:
        groups = [_numbers(group) for group in self._optimizer.param_groups]
        rates = [float(x) for x in self._scheduler.get_last_lr()] if self._scheduler else []
        self.seen.append(
            {
                "params": [_array(p) for p in self._params],
                "state": [_tensors(self._state(p)) for p in self._params],
                "groups": groups,
                "loss": list(self._loss),
                "rates": rates,
            }
        )

    def _state(self, p: torch.Tensor) -> object:
        # Looking is not to make a state.
        found: object = self._optimizer.state.get(p, {})
        return found

    def _tensor(self, array: Array) -> torch.Tensor:
        tensor = to_tensor(array)
        if self.row.copies > 1:
            factors = 0.5 ** (torch.arange(self.row.copies) // _ALIKE % _FACTORS)
            tensor = tensor.unsqueeze(-1) * factors.to(tensor.dtype)
        return torch.view_as_complex(tensor) if self._made.get("complex") else tensor

    def _joined(self, group: Operation) -> None:
        made = [self._tensor(x).requires_grad_() for x in group["params"]]
        self._params += made
        self._groups.append((len(made), {k: x for k, x in group.items() if k != "params"}))

    def _constructed(self, params: Sequence[torch.Tensor], *, otherwise: bool = False) -> Optimizer:
        numbers: Named = {} if otherwise else dict(self._made.get("numbers", {}))
        if self._made.get("tensor_lr") and "lr" in numbers:
            numbers["lr"] = torch.tensor(numbers["lr"], dtype=torch.float64)
        if "groups" not in self.row.offers:
            return self.row.make(list(params), **_joined(numbers))
        waiting = iter(params)
        groups = [
            {"params": [next(waiting) for _ in range(count)], **_joined({} if otherwise else given)}
            for count, given in self._groups
        ]
        return self.row.make(groups, **_joined(numbers))

    def _given(self, grads: Sequence[torch.Tensor | None]) -> None:
        for p, g in zip(self._params, grads, strict=True):
            sparse = g is not None and self.row.sparse
            p.grad = g.to_sparse() if sparse and g is not None else g

    def _evaluated(self, grads: Sequence[torch.Tensor | None], first: list[float]) -> torch.Tensor:
        loss = torch.zeros((), dtype=torch.float64)
        for p, g in zip(self._params, grads, strict=True):
            p.grad = None
            if g is not None:
                slope = g * p + p * p / 2 if self.row.searches else g * p
                loss = loss + slope.sum().double()
        loss.backward()
        first.append(float(loss.detach()))
        return loss.detach()

    def _renewed(self, op: Operation) -> World:
        new = World(self.row)
        new._groups, new._made, new.seen = list(self._groups), self._made, self.seen
        new._loss = list(self._loss)
        way = op["way"]
        if way in ("pickled", "deepcopied"):
            whole = (self._params, self._optimizer, self._scheduler)
            copied = copy.deepcopy(whole) if way == "deepcopied" else pickle.loads(
                pickle.dumps(whole)
            )  # fmt: skip
            new._params, new._optimizer, new._scheduler = copied
            return new
        new._params = [p.detach().clone().requires_grad_() for p in self._params]
        otherwise = op.get("otherwise", False)
        new._optimizer = new._constructed(new._params, otherwise=otherwise)
        if not op.get("load", True):
            if self._scheduler is not None:
                new._scheduler = _attached(self.row, new._optimizer, otherwise=otherwise)
            return new
        self._loaded_into(new, op, _saved if way == "saved" else lambda held: held)
        return new

    def _loaded_into(self, new: World, op: Operation, carried: Callable[[Named], Named]) -> None:
        def optimizer() -> None:
            new._optimizer.load_state_dict(carried(self._optimizer.state_dict()))

        if self._scheduler is None or "last_epoch" in op:
            optimizer()
            if "last_epoch" in op:
                new._attach(op)
            return
        new._scheduler = _attached(
            self.row, new._optimizer, otherwise=bool(op.get("otherwise", False))
        )

        def scheduler() -> None:
            new._scheduler.load_state_dict(carried(self._scheduler.state_dict()))

        both = [optimizer, scheduler]
        for load in both if op.get("order", "optimizer") == "optimizer" else reversed(both):
            load()

    def _become(self, other: World) -> None:
        self._params, self._groups = other._params, other._groups
        self._optimizer, self._scheduler = other._optimizer, other._scheduler
        self._loss = other._loss


def _attached(row: Life, optimizer: Optimizer, *, otherwise: bool) -> Scheduler:
    attach = row.otherwise if otherwise and row.otherwise is not None else row.attach
    assert attach is not None
    return attach(optimizer)


def _last_epoch(op: Operation) -> Named:
    return {"last_epoch": op["last_epoch"]} if "last_epoch" in op else {}


def _saved(held: Named) -> Named:
    file = io.BytesIO()
    torch.save(held, file)
    file.seek(0)
    loaded: Named = torch.load(file)
    return loaded


def _joined(numbers: Operation) -> Named:
    """Numbers by the names of arguments: "betas.0" and "betas.1" are a pair."""
    out: Named = {}
    for name, value in numbers.items():
        whole, dot, _ = name.partition(".")
        out[whole] = (*out.get(whole, ()), value) if dot else value
    return out


def _array(tensor: torch.Tensor) -> Array:
    dense: torch.Tensor = tensor.detach()
    if type(dense) not in (torch.Tensor, torch.nn.Parameter) and hasattr(dense, "dequantize"):
        dense = dense.dequantize()
    if dense.is_complex():
        dense = torch.view_as_real(dense)
    return np.array(from_tensor(dense.to_dense()), order="C")


def _tensors(held: object) -> dict[str, Array]:
    """All tensors and numbers within a state, by the names that lead to them."""
    return dict(_walked("", held))


def _walked(path: str, held: object) -> Iterator[tuple[str, Array]]:
    if isinstance(held, torch.Tensor):
        yield path, _array(held)
    elif isinstance(held, Mapping):
        for name, item in held.items():
            yield from _walked(f"{path}.{name}".lstrip("."), item)
    elif isinstance(held, list | tuple):
        for name, item in enumerate(held):
            yield from _walked(f"{path}.{name}".lstrip("."), item)
    elif isinstance(held, int | float):
        yield path, np.asarray(held, dtype=np.float64)


def _numbers(group: Operation) -> dict[str, Array]:
    """The numbers of a group, and the elements of pairs of them."""
    rest = {
        k: x for k, x in group.items() if k not in ("params", "param_names")
        and not isinstance(x, bool)
    }  # fmt: skip
    return {name: x for name, x in _walked("", rest) if x.size == 1}
