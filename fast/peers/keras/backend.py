"""Keras's optimizers on its torch backend, which steps eagerly; keras_rows.py says which and how.

Its training-loop pieces are in keras_training.py.

An optimizer has one set of hyperparameters and one int32 counter: each group, and each count in it,
is an optimizer of its own. Variables are handed over in the layout that they have.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from truestep.fast.peers import torch_step
from truestep.fast.peers.keras import training as keras_training
from truestep.fast.peers.keras.rows import ROWS, Row, arithmetic_of
from truestep.fast.peers.torch_arrays import from_tensor, import_torch, to_tensor
from truestep.fast.protocol import Array, BackendUnavailable, Capability, Group, Slot, Stepped

_VARIABLE = "KERAS_BACKEND"


class Backend:
    """keras.optimizers, rebuilt from the given state for every step."""

    name = "keras"

    def __init__(self) -> None:
        self._torch = import_torch()
        self._keras = import_keras()
        self._plans: dict[tuple[str, str], tuple[Row, Any]] = {}
        for row in ROWS:
            optimizer = getattr(self._keras.optimizers, row.optimizer)
            for path in row.paths:
                # The torch backend replaces Keras's own classes, not those derived from them.
                chosen = optimizer if path == "parallel" else type("Generic", (optimizer,), {})
                self._plans[row.rule, path] = row, chosen

    def capabilities(self) -> tuple[Capability, ...]:
        """Every optimizer and piece that has a rule in the reference, in float32."""
        optimizers = tuple(
            Capability(
                kind="optimizer",
                rule=row.rule,
                arithmetic=arithmetic_of(row, path),
                dialect=row.dialect,
                variant=path,
                fixed={"maximize": False, **row.fixed},
                shapes=row.shapes,
            )
            for row in ROWS
            for path in row.paths
        )
        return (*optimizers, *keras_training.capabilities())

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One apply() of a fresh optimizer for each group and count."""
        row, optimizer = self._plans[capability.rule, capability.variant]
        parts, places = torch_step.parted(groups, lambda hyper, slot: _shared(slot))
        with self._at_work():
            results = [self._part_step(row, optimizer, part) for part in parts]
        return torch_step.rejoined(results, places)

    def training_piece(
        self, capability: Capability, hyper: Any, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """What clipping, accumulation or LossScaleOptimizer makes of the inputs."""
        with self._at_work():
            return keras_training.outputs(self._torch, self._keras, capability, hyper, inputs)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        with self._keras.device("cpu"), warnings.catch_warnings():
            # Keras's own conversion of a variable to NumPy.
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            yield

    def _part_step(self, row: Row, optimizer_class: Any, group: Group) -> list[Stepped]:
        torch = self._torch
        t = group.slots[0].state["t"]
        arguments = _arguments(row, group.hyper, t)
        later = {name: arguments.pop(name) for name in row.later}
        optimizer = optimizer_class(**arguments)
        for name, value in later.items():
            setattr(optimizer, name, value)
        variables = [
            self._keras.Variable(
                torch.nn.Parameter(to_tensor(torch, slot.param), requires_grad=False)
            )
            for slot in group.slots
        ]
        optimizer.build(variables)
        optimizer.iterations.assign(t)
        if t and hasattr(optimizer, "_u_product"):
            optimizer._u_product.assign(to_tensor(torch, group.slots[0].state["mu_product"]))
        if t:
            for i, slot in enumerate(group.slots):
                for ours, theirs in row.state.items():
                    if (variable := _variable(optimizer, theirs, i, slot.state[ours])) is not None:
                        tensor = to_tensor(torch, slot.state[ours])
                        variable.assign(tensor.reshape(tuple(variable.shape)))
        optimizer.apply([to_tensor(torch, slot.grad) for slot in group.slots])
        return [
            Stepped(from_tensor(torch, variable.value), self._state(row, optimizer, i, slot))
            for i, (variable, slot) in enumerate(zip(variables, group.slots, strict=True))
        ]

    def _state(self, row: Row, optimizer: Any, i: int, slot: Slot) -> dict[str, Any]:
        state: dict[str, Any] = {
            name: np.array(x) for name, x in slot.state.items() if isinstance(x, np.ndarray)
        }
        for ours, theirs in row.state.items():
            old = slot.state[ours]
            if (variable := _variable(optimizer, theirs, i, old)) is not None:
                state[ours] = from_tensor(self._torch, variable.value).reshape(old.shape)
        if hasattr(optimizer, "_u_product"):
            state["mu_product"] = from_tensor(self._torch, optimizer._u_product.value)
        return {**state, "t": int(optimizer.iterations.value)}


def import_keras() -> Any:
    """The module keras on the torch backend; BackendUnavailable where it runs on another."""
    before = os.environ.get(_VARIABLE)
    if "keras" not in sys.modules:
        os.environ[_VARIABLE] = "torch"
    try:
        keras = importlib.import_module("keras")
    except Exception as error:
        raise BackendUnavailable(f"keras cannot be imported: {error}") from error
    finally:
        os.environ.pop(_VARIABLE, None)
        if before is not None:
            os.environ[_VARIABLE] = before
    if keras.backend.backend() != "torch":
        raise BackendUnavailable(f"keras runs on {keras.backend.backend()}, not on torch")
    return keras


def _shared(slot: Slot) -> tuple[int, float]:
    return slot.state["t"], float(slot.state.get("mu_product", 1.0))


def _arguments(row: Row, h: Any, t: int) -> dict[str, Any]:
    # As a training loop sets a rate that falls.
    rate = h.lr / (t + 1) ** h.power if hasattr(h, "power") else h.lr
    numbers = ((theirs, getattr(h, ours)) for ours, theirs in row.numbers.items())
    return {
        **{name.removeprefix("-"): -x if name.startswith("-") else x for name, x in numbers},
        **row.options,
        "learning_rate": float(rate),
        "weight_decay": float(h.weight_decay),
    }


def _variable(optimizer: Any, name: str, i: int, old: Array) -> Any:
    """Keras's variable of that state, None where it keeps none or a placeholder."""
    variables = getattr(optimizer, name)
    if not variables or int(np.prod(variables[i].shape)) != old.size:
        return None
    return variables[i]
