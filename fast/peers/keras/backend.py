"""Keras's optimizers on its torch backend, which steps eagerly; rows.py says which and how.

Its training-loop pieces are in training.py.

An optimizer has one set of hyperparameters and one int32 counter: each group, and each count in it,
is an optimizer of its own. Variables are handed over in the layout that they have.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from truestep.fast.peers import parting, training_row
from truestep.fast.peers.keras import lives, schedules, training
from truestep.fast.peers.keras.library import keras, variable
from truestep.fast.peers.keras.rows import ROWS, Row
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import (
    Array,
    Capability,
    Group,
    Inputs,
    Observation,
    Outputs,
    Program,
    Slot,
    State,
    Stepped,
)
from truestep.reference.declared import Hyper


class Backend:
    """keras.optimizers, rebuilt from the given state for every step."""

    name = "keras"

    def __init__(self) -> None:
        self._plans: dict[tuple[str, str], tuple[Row, type[keras.optimizers.Optimizer]]] = {}
        for row in ROWS:
            optimizer = getattr(keras.optimizers, row.optimizer)
            for path in row.paths:
                # The torch backend replaces Keras's own classes, not those derived from them.
                chosen = optimizer if path == "parallel" else type("Generic", (optimizer,), {})
                self._plans[row.rule, path] = row, chosen

    def capabilities(self) -> tuple[Capability, ...]:
        """Every optimizer, schedule and piece that has a rule here, in float32; and lives."""
        optimizers = tuple(row.capability(path) for row in ROWS for path in row.paths)
        pieces = training_row.capabilities(training.ROWS)
        return (*optimizers, *schedules.CAPABILITIES, *pieces, *lives.CAPABILITIES)

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One apply() of a fresh optimizer for each group and count."""
        row, make = self._plans[capability.rule, capability.variant]
        parts, places = parting.parted(groups, lambda hyper, slot: _shared(slot))
        with _at_work():
            results = [_stepped(row, make, part) for part in parts]
        return parting.rejoined(results, places)

    def lived(self, capability: Capability, programs: Sequence[Program]) -> list[list[Observation]]:
        """What is seen in lives of one optimizer."""
        with _at_work(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return lives.lived(capability, programs)

    def training_piece(self, capability: Capability, hyper: Hyper, inputs: Inputs) -> Outputs:
        """What clipping, accumulation or LossScaleOptimizer makes of the inputs."""
        with _at_work():
            return training_row.outputs(training.ROWS, capability, hyper, inputs)

    def schedule_values(
        self, capability: Capability, hyper: Hyper, steps: Sequence[int]
    ) -> list[float]:
        """The schedule's value at one count after the other."""
        with _at_work():
            return schedules.values(capability, hyper, steps)


@contextmanager
def _at_work() -> Iterator[None]:
    with keras.device("cpu"), warnings.catch_warnings():
        # Keras's own conversion of a variable to NumPy.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        yield


def _shared(slot: Slot) -> tuple[int, float]:
    return slot.state["t"], float(slot.state.get("mu_product", 1.0))


def _stepped(row: Row, make: type[keras.optimizers.Optimizer], group: Group) -> list[Stepped]:
    first = group.slots[0].state
    arguments = _arguments(row, group.hyper, first["t"])
    later = {name: arguments.pop(name) for name in row.later}
    optimizer = make(**arguments)
    for name, value in later.items():
        setattr(optimizer, name, value)
    variables = [variable(to_tensor(slot.param)) for slot in group.slots]
    optimizer.build(variables)
    optimizer.iterations.assign(first["t"])
    if first["t"]:
        if hasattr(optimizer, "_u_product"):
            optimizer._u_product.assign(to_tensor(first["mu_product"]))
        for i, slot in enumerate(group.slots):
            for ours, theirs in row.state.items():
                if (held := _held(optimizer, theirs, i, slot.state[ours])) is not None:
                    held.assign(to_tensor(slot.state[ours]).reshape(tuple(held.shape)))
    optimizer.apply([to_tensor(slot.grad) for slot in group.slots])
    return [
        Stepped(from_tensor(moved.value), _state(row, optimizer, i, slot))
        for i, (moved, slot) in enumerate(zip(variables, group.slots, strict=True))
    ]


def _arguments(row: Row, h: Hyper, t: int) -> dict[str, object]:
    # As a training loop sets a rate that falls.
    rate = h.lr / (t + 1) ** h.power if hasattr(h, "power") else h.lr
    numbers = ((theirs, getattr(h, ours)) for ours, theirs in row.numbers.items())
    return {
        **{name.removeprefix("-"): -x if name.startswith("-") else x for name, x in numbers},
        **row.options,
        "learning_rate": float(rate),
        "weight_decay": float(h.weight_decay),
    }


def _held(
    optimizer: keras.optimizers.Optimizer, name: str, i: int, old: Array
) -> keras.Variable | None:
    """Keras's variable of that state, None where it keeps none or a placeholder."""
    variables = getattr(optimizer, name)
    if not variables or int(np.prod(variables[i].shape)) != old.size:
        return None
    return variables[i]


def _state(row: Row, optimizer: keras.optimizers.Optimizer, i: int, slot: Slot) -> State:
    """The reference's fields; what Keras does not keep stays as it was."""
    state = {name: np.array(x) for name, x in slot.state.items() if isinstance(x, np.ndarray)}
    for ours, theirs in row.state.items():
        old = slot.state[ours]
        if (held := _held(optimizer, theirs, i, old)) is not None:
            state[ours] = from_tensor(held.value).reshape(old.shape)
    if hasattr(optimizer, "_u_product"):
        state["mu_product"] = from_tensor(optimizer._u_product.value)
    return {**state, "t": int(optimizer.iterations.value)}
