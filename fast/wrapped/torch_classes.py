"""A torch.optim.Optimizer as a subject of the search: built, and run on tensors."""

from __future__ import annotations

import copy
import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from truestep.fast.locating import BrokenBackend
from truestep.fast.protocol import Array
from truestep.fast.wrapped import literals, matching, nested, torch_kept, trials
from truestep.fast.wrapped.names import REQUIRED
from truestep.fast.wrapped.trials import Named, Trial
from truestep.fast.wrapped.watched import Watched

Make = Callable[..., torch.optim.Optimizer]
_DTYPES = {torch.float64: np.float64, torch.float32: np.float32}


class Class:
    """An optimizer's class, or what else makes optimizers of parameters.

    options: arguments of the constructor besides numbers; what it does not take is put into groups.
    """

    def __init__(self, make: Make, options: Mapping[str, object]) -> None:
        self.make, self.options = make, dict(options)
        self.name = getattr(make, "__qualname__", type(make).__name__)
        self._accepted, self._required = self._signature()
        self.plain = inspect.isclass(make) and not issubclass(make, torch.optim.Optimizer)
        # Whether the constructor is given tensors, not groups of them.
        self.flat = self.plain
        # What is kept elsewhere than in state[p], and whether tensors share it.
        self.kept: Mapping[str, bool] = {}
        self.dtype, made = self._tried()
        self.kept = self._elsewhere()
        if unread := self._unread():
            raise BrokenBackend(
                f"{self.name}: its constructor takes no {', '.join(unread)}, "
                "and a step reads none from a group"
            )
        self.grouped = {
            name: x for name, x in made.param_groups[0].items() if name not in ("params", *options)
        }
        self.offered: dict[str, object] = {**self._accepted, **self.grouped}
        for name in self.options:
            self.offered.pop(name, None)
        self.hints = _numbers(tuple(self.options.values()))
        self.literals = literals.small(make)
        # Of the last trial of a matrix: what was kept at its end, and the numbers that changed, as
        # they were after every step.
        self.moving: dict[str, list[float]] = {}
        self.state: Named = {}
        self.group: Named = {}
        # Which of that is the parameter, as a copy in a wider format is.
        self.copies: list[str] = []

    def _signature(self) -> tuple[Named, list[str]]:
        """The constructor's arguments with their defaults, and those that have none."""
        first, *parameters = inspect.signature(self.make).parameters.values()
        self.of_models = first.name in ("model", "module")
        named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        required = [p.name for p in named if p.default is p.empty and p.name not in self.options]
        if unknown := [name for name in required if name not in REQUIRED]:
            raise BrokenBackend(
                f"{self.name}: its constructor needs {', '.join(unknown)} besides the parameters: "
                "wrap a function or functools.partial that gives them"
            )
        defaults = {p.name: REQUIRED[p.name] for p in named if p.name in required}
        return {
            **{p.name: p.default for p in named if p.default is not p.empty},
            **defaults,
        }, required

    def _tried(self) -> tuple[torch.dtype, torch.optim.Optimizer]:
        """The widest format in which the optimizer steps, and an optimizer that has stepped."""
        problem: Exception | None = None
        given = (True,) if self.plain else (False, True)
        tries = itertools.product(given, _DTYPES, (_dense, sparse), ({}, REQUIRED))
        for self.flat, dtype, self.gradient, numbers in tries:
            param = torch.nn.Parameter(torch.ones(trials.MATRIX, dtype=dtype))
            param.grad = self.gradient(torch.ones(trials.MATRIX, dtype=dtype))
            try:
                made = self.built([{"params": [param]}], numbers)
                if not isinstance(made, (torch.optim.Optimizer, torch_kept.Gathered)):
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
                made.param_groups[0] = before
                return dtype, made
        raise BrokenBackend(
            f"{self.name}: a step of one matrix raised {type(problem).__name__}: "
            + " ".join(str(problem).split())
        )

    def _elsewhere(self) -> Mapping[str, bool]:
        """What is kept elsewhere than in state[p]; nothing where two matrices cannot be stepped."""
        params = [
            torch.nn.Parameter(torch.ones(shape, dtype=self.dtype))
            for shape in (trials.MATRIX, trials.WIDE)
        ]
        try:
            made = self._made([{"params": params}], REQUIRED)
            return torch_kept.changing(made, params)
        except Exception:  # of whatever the optimizer raises
            return {}

    def _unread(self) -> list[str]:
        """Options that the constructor does not take, and that nothing asks a group for."""
        beside = {name: x for name, x in self.options.items() if name not in self._accepted}
        if not beside or self.of_models or self.flat:
            return list(beside)
        param = torch.nn.Parameter(torch.ones(trials.MATRIX, dtype=self.dtype))
        param.grad = self.gradient(torch.ones(trials.MATRIX, dtype=self.dtype))
        group = Watched({"params": [param], **beside})
        given = {name: x for name, x in self.options.items() if name in self._accepted}
        try:
            self.make([group], **{name: REQUIRED[name] for name in self._required}, **given).step()
        except Exception:  # of numbers that it has to be given: what it reads is not known
            return []
        return [name for name in beside if name not in group.asked]

    def built(
        self, entries: Sequence[Named], numbers: Mapping[str, object]
    ) -> torch.optim.Optimizer:
        """The optimizer of these param_groups.

        numbers: what the constructor is given where a group has a number too, which the group's
        own replace afterwards: no constructor sees the rate of a group, which may be 0.
        """
        made = self._made(entries, numbers)
        if self.plain or self.kept:
            params = [p for entry in entries for p in entry["params"]]
            made = torch_kept.Gathered(made, params, list(self.kept))
        for group in getattr(made, "param_groups", ()):
            # It may have made a group of each tensor.
            first = group["params"][:1]
            theirs = [e for e in entries if any(p is x for p in e["params"] for x in first)]
            entry = theirs[0] if theirs else {}
            group.update({k: x for k, x in entry.items() if k != "params" and k in group})
        return made

    def _made(
        self, entries: Sequence[Named], numbers: Mapping[str, object]
    ) -> torch.optim.Optimizer:
        """What the constructor makes of them."""
        beside = {name: x for name, x in self.options.items() if name not in self._accepted}
        groups = [{"params": entry["params"], **beside} for entry in entries]
        subject: object = _model(groups) if self.of_models else groups
        if self.flat and not self.of_models:
            subject = [p for group in groups for p in group["params"]]
        options = {name: x for name, x in self.options.items() if name in self._accepted}
        own = {name: x for name, x in entries[0].items() if name in self._accepted}
        own = {name: x for name, x in own.items() if name not in getattr(self, "grouped", own)}
        known = {k: x for k, x in numbers.items() if k in self._accepted and k != "params"}
        required = {name: REQUIRED[name] for name in self._required}
        try:
            return self.make(subject, **{**known, **own, **required, **options})
        except (AssertionError, TypeError, ValueError):
            # Numbers that it takes by group alone, or of another type.
            return self.make(subject, **{**required, **own, **options})

    def hold(self, numbers: Mapping[str, object]) -> None:
        """Learn which numbers are the constructor's although a group has them too.

        numbers: such as differ from the defaults. What a group says of one of these is not heard,
        or does not show.
        """
        param, grads = trials.drawn(trials.MATRIX, seed=0)
        for name, value in numbers.items():
            if name not in self.grouped or self._accepted.get(name, value) == value:
                continue
            default = {**numbers, name: self._accepted[name]}
            steps = []
            # Of both, of the group alone, and of neither.
            for group, constructor in ((numbers, numbers), (numbers, default), (default, default)):
                try:
                    steps.append(self._run(group, constructor, param, grads).params)
                except Exception:  # of whatever the optimizer raises
                    break
            if len(steps) == 3 and not (_equal(*steps[:2]) and not _equal(*steps[1:])):
                del self.grouped[name]

    def trial(self, numbers: Mapping[str, object], param: Array, grads: Sequence[Array]) -> Trial:
        """Steps of a fresh optimizer of one tensor; raises BrokenBackend where it does not step."""
        try:
            return self._run(numbers, numbers, param, grads)
        except Exception as error:
            text = " ".join(str(error).split())
            raise BrokenBackend(f"{self.name}: raised {type(error).__name__}: {text}") from error

    def _run(
        self,
        numbers: Mapping[str, object],
        given: Mapping[str, object],
        param: Array,
        grads: Sequence[Array],
    ) -> Trial:
        """Steps with these numbers in the group; given: those of the constructor."""
        p = torch.nn.Parameter(torch.tensor(param, dtype=self.dtype))
        params, states, groups = [_array(p)], [], []
        optimizer = self.built([{"params": [p], **numbers}], given)
        for g in grads:
            p.grad = self.gradient(torch.tensor(g, dtype=self.dtype))
            optimizer.step()
            params.append(_array(p))
            states.append(_snapshot(optimizer.state.get(p, {})))
            # What is in containers is of tensors.
            entries = optimizer.param_groups[0].items()
            groups.append(_snapshot({n: x for n, x in entries if not isinstance(x, (dict, list))}))
        if param.ndim > 1:
            self.moving = {
                name: [float(np.ravel(each[name])[0]) for each in states]
                for name in states[-1]
                if _moves(name, states)
            }
            self.copies = matching.copies(states, params)
            self.state = dict(optimizer.state.get(p, {}))
            self.group = dict(optimizer.param_groups[0])
        return Trial([x.astype(_DTYPES[self.dtype]) for x in grads], params, states, groups)


def looked_at(make: Make, rule: str | None, options: Mapping[str, object] | None) -> Class:
    """The subject that an optimizer's class is; raises BrokenBackend for what is none."""
    if not callable(make) or (inspect.isclass(make) and not callable(getattr(make, "step", None))):
        raise BrokenBackend(f"{make!r} is no torch.optim.Optimizer, and no function that makes one")
    given = dict(options or {})
    if rule and rule in inspect.signature(make).parameters:
        given.setdefault(rule, True)  # as amsgrad and nesterov are switched on
    return Class(make, given)


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


def sparse(gradient: torch.Tensor) -> torch.Tensor:
    """Of every row, for optimizers that take no other gradients."""
    rows = torch.arange(len(gradient))[None]
    return torch.sparse_coo_tensor(rows, gradient, gradient.shape, check_invariants=True)


def _array(tensor: torch.Tensor) -> Array:
    array: Array = tensor.detach().to(torch.float64).numpy().copy()
    return array


def _snapshot(kept: Mapping[str, Any]) -> Named:
    """What is kept by name: tensors as arrays, numbers as they are."""
    out: Named = {}
    for name, x in nested.entries(kept):
        if isinstance(x, torch.Tensor) and not x.is_sparse:
            out[name] = (
                x.detach().clone().to(torch.float64).numpy()
                if x.is_floating_point()
                else (x.detach().clone().numpy())
            )
        elif isinstance(x, (int, float, bool)):
            out[name] = x
    return out


def _equal(a: Sequence[Array], b: Sequence[Array]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def _moves(name: str, states: Sequence[Named]) -> bool:
    """Whether a number is not the same after every step."""
    values = [np.asarray(each.get(name, np.nan)) for each in states]
    return all(x.size == 1 for x in values) and any(x != values[0] for x in values)
