"""Keras's optimizers as objects with a life: a configuration, and variables that are stored.

What goes on is made from the configuration, and loads the variables: the rate is one of them.
"""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from truestep.fast.peers.keras.library import keras, variable
from truestep.fast.peers.single_lives import filed, named
from truestep.fast.peers.single_lives import lived as all_lived
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import (
    Array,
    Capability,
    LifeCapability,
    Observation,
    Operation,
    Program,
)

Config = dict[str, object]
Stored = dict[str, Array]

# The rates of those that have a schedule.
_SCHEDULE = partial(keras.optimizers.schedules.ExponentialDecay, 0.03, 3, 0.5)
_PLAIN = (
    "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion", "Nadam",
    "RMSprop", "SGD", "ScheduleFreeAdamW",
)  # fmt: skip
# By variant: how each is made of the arguments that are numbers.
_MADE: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
    **{name: getattr(keras.optimizers, name) for name in _PLAIN},
    "Adam_accumulating": partial(keras.optimizers.Adam, gradient_accumulation_steps=2),
    "Adam_amsgrad": partial(keras.optimizers.Adam, amsgrad=True),
    "Adam_averaging": partial(
        keras.optimizers.Adam, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3
    ),
    "Adam_clipping": partial(keras.optimizers.Adam, global_clipnorm=0.5),
    "Adam_scheduled": lambda **given: keras.optimizers.Adam(_SCHEDULE(), **given),
    "LossScaleOptimizer": lambda **given: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(momentum=0.8, **given), initial_scale=8.0, dynamic_growth_steps=2
    ),
    "RMSprop_centered": partial(keras.optimizers.RMSprop, centered=True, momentum=0.8),
    "SGD_nesterov": partial(keras.optimizers.SGD, momentum=0.8, nesterov=True),
}
_RATE = {"lr": 0.03}
_NUMBERS: Mapping[str, Mapping[str, float]] = {
    "Adam_scheduled": {"weight_decay": 0.07},
    "LossScaleOptimizer": _RATE,
}
_BOTH = {**_RATE, "weight_decay": 0.07}


@dataclass
class Lived:
    """An optimizer and its variables. rated: whether its rate can be set."""

    variables: list[keras.Variable]
    optimizer: keras.optimizers.Optimizer
    rated: bool

    def step(self, grads: Sequence[Array]) -> None:
        """apply_gradients."""
        pairs = zip(map(to_tensor, grads), self.variables, strict=True)
        self.optimizer.apply_gradients(list(pairs))

    def set(self, name: str, value: float, group: int) -> None:
        """An attribute of the only group."""
        [name] = named({name: value})
        setattr(self.optimizer, name, value)

    def copied(self, way: str) -> Lived:
        """By pickle, whatever Keras makes of it."""
        if way == "deepcopied":
            return copy.deepcopy(self)
        found: Lived = pickle.loads(pickle.dumps(self))
        return found

    def fresh(self, *, otherwise: bool) -> Lived:
        """From the configuration as JSON has it; otherwise with another rate."""
        config = json.loads(json.dumps(keras.optimizers.serialize(self.optimizer)))
        made = keras.optimizers.deserialize(config)
        if otherwise and self.rated:
            made.learning_rate = 0.5
        own = [variable(to_tensor(from_tensor(x.value.detach()))) for x in self.variables]
        made.build(own)
        return Lived(own, made, self.rated)

    def held(self, *, saved: bool) -> Stored:
        """save_own_variables, in a file where it is to be saved."""
        store: Stored = {}
        self.optimizer.save_own_variables(store)
        if not saved:
            return store
        return dict(zip(store, filed(list(store.values())), strict=True))

    def load(self, held: Stored) -> None:
        """load_own_variables."""
        self.optimizer.load_own_variables(held)

    def seen(self) -> Observation:
        """Parameters, and as the group's numbers all variables and the decay."""
        # Of their names those of the parameters are a part, which are counted on and on.
        held = {f"variable {k}": _array(x) for k, x in enumerate(self.optimizer.variables)}
        decay = np.asarray(self.optimizer.weight_decay or 0.0, np.float64)
        return {
            "params": [_array(x) for x in self.variables],
            "state": [{} for _ in self.variables],
            "groups": [{**held, "weight_decay": decay}],
            "loss": [],
            "rates": [],
        }


def _array(x: keras.Variable) -> Array:
    return np.array(from_tensor(x.value.detach()))


def _made(variant: str, groups: Sequence[Operation], numbers: Mapping[str, float]) -> Lived:
    [group] = groups
    optimizer = _MADE[variant](**named(numbers))
    own = [variable(to_tensor(x)) for x in group["params"]]
    optimizer.build(own)
    return Lived(own, optimizer, "lr" in numbers)


CAPABILITIES = tuple(
    LifeCapability(
        rule="optimizer",
        variant=variant,
        numbers=_NUMBERS.get(variant, _BOTH),
        level="smoke" if variant in ("Adam", "SGD") else "standard",
        dialect={"counts": "all", "coupling": "shared"},
    )
    for variant in _MADE
)


def lived(capability: Capability, programs: Sequence[Program]) -> list[list[Observation]]:
    """What is seen in lives of one optimizer."""
    make = partial(_made, capability.variant)
    return all_lived(make, programs, keras.config.set_floatx, keras.config.floatx())
