"""optax's transformations as objects with a life: parameters, and a state that is handed on.

Every constructor is in inject_hyperparams, so that its numbers are a part of the state, and in
partition, which gives every group a transformation of its own. A transformation itself is not
saved: what goes on is made as it was, and takes the state.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import numpy as np
import optax

from truestep.fast.peers.single_lives import filed, named
from truestep.fast.peers.single_lives import lived as all_lived
from truestep.fast.protocol import (
    Array,
    Capability,
    LifeCapability,
    Observation,
    Operation,
    Program,
)

Made = Callable[..., optax.GradientTransformation]
# A state: a tree of arrays.
Tree = object

# By constructor: its numbers, with values that are no defaults; by ours or by optax's names. Rprop
# is missing: its rate is where its state begins, and no number of a step.
_ADAM = {"lr": 0.03, "b1": 0.8, "b2": 0.95, "eps": 1e-6}
_NUMBERS: Mapping[str, Mapping[str, float]] = {
    "adabelief": _ADAM,
    "adadelta": {"lr": 0.03, "rho": 0.85, "eps": 1e-6, "weight_decay": 0.07},
    "adagrad": {"lr": 0.03, "eps": 1e-6},
    "adam": _ADAM,
    "adamax": _ADAM,
    "adamaxw": {**_ADAM, "weight_decay": 0.07},
    "adamw": {**_ADAM, "weight_decay": 0.07},
    "adan": {"lr": 0.03, "weight_decay": 0.07},
    "amsgrad": _ADAM,
    "fromage": {"lr": 0.03},
    "lamb": {**_ADAM, "weight_decay": 0.07},
    "lars": {"lr": 0.03, "weight_decay": 0.07, "momentum": 0.8},
    "lion": {"lr": 0.03, "b1": 0.8, "b2": 0.95, "weight_decay": 0.07},
    "nadam": _ADAM,
    "nadamw": {**_ADAM, "weight_decay": 0.07},
    "novograd": {**_ADAM, "weight_decay": 0.07},
    "radam": _ADAM,
    "rmsprop": {"lr": 0.03, "decay": 0.85, "eps": 1e-6, "momentum": 0.8},
    "sgd": {"lr": 0.03, "momentum": 0.8},
    "sm3": {"lr": 0.03, "momentum": 0.8},
    "yogi": {"lr": 0.03, "b1": 0.8, "b2": 0.95},
}
_SMOKE = ("adamw", "sgd")


def _accumulating(**numbers: float) -> optax.GradientTransformation:
    made: optax.GradientTransformation = optax.MultiSteps(
        optax.inject_hyperparams(optax.sgd)(**numbers), every_k_schedule=2
    ).gradient_transformation()
    return made


_MADE: dict[str, Made] = {
    **{name: optax.inject_hyperparams(getattr(optax, name)) for name in _NUMBERS},
    "sgd_accumulating": _accumulating,
}


@dataclass
class Lived:
    """Parameters and a state. numbers: by group, of the constructor; places: of the parameters."""

    made: Made
    numbers: list[dict[str, float]]
    places: list[int]
    params: list[jax.Array]
    state: Tree = None

    def __post_init__(self) -> None:
        """Started, unless there is a state."""
        each = {k: self.made(**named(numbers)) for k, numbers in enumerate(self.numbers)}
        self.transformation = optax.partition(each, self.places)
        if self.state is None:
            self.state = self.transformation.init(self.params)

    def step(self, grads: Sequence[Array]) -> None:
        """update and apply_updates."""
        given = [jax.numpy.asarray(g) for g in grads]
        updates, self.state = self.transformation.update(given, self.state, self.params)
        self.params = optax.apply_updates(self.params, updates)

    def set(self, name: str, value: float, group: int) -> None:
        """In the state of the group, which is made anew."""
        [name] = named({name: value})

        def changed(path: jax.tree_util.KeyPath, x: jax.Array) -> jax.Array:
            told = jax.tree_util.keystr(path)
            own = told.startswith(_inner(group)) and told.endswith(f".hyperparams['{name}']")
            return jax.numpy.asarray(value, x.dtype) if own else x

        self.state = jax.tree_util.tree_map_with_path(changed, self.state)

    def copied(self, way: str) -> Lived:
        """Parameters and state, copied, in a transformation that is made again."""
        whole = (self.params, self.state)
        params, state = copy.deepcopy(whole) if way == "deepcopied" else pickle.loads(
            pickle.dumps(whole)
        )  # fmt: skip
        return Lived(self.made, self.numbers, self.places, params, state)

    def fresh(self, *, otherwise: bool) -> Lived:
        """Started again; otherwise with half of every number."""
        factor = 0.5 if otherwise else 1.0
        numbers = [{name: factor * x for name, x in own.items()} for own in self.numbers]
        return Lived(self.made, numbers, self.places, self.params)

    def held(self, *, saved: bool) -> list[Array | jax.Array]:
        """The leaves of the state, in a file where they are to be saved."""
        leaves: list[Array | jax.Array] = jax.tree.leaves(self.state)
        if not saved:
            return leaves
        return [jax.numpy.asarray(x) for x in filed([np.asarray(x) for x in leaves])]

    def load(self, held: list[Array | jax.Array]) -> None:
        """In the structure that this one's state has."""
        self.state = jax.tree.unflatten(jax.tree.structure(self.state), held)

    def seen(self) -> Observation:
        """Of the state's leaves those that are in lists as long as the parameters are theirs."""
        state: list[dict[str, Array]] = [{} for _ in self.params]
        groups: list[dict[str, Array]] = [{} for _ in self.numbers]
        for path, leaf in jax.tree_util.tree_leaves_with_path(self.state):
            group = next(k for k in range(len(groups)) if _told(path).startswith(_inner(k)))
            # The last field, and the place in it of a parameter; a tuple of rows may follow.
            field = max(k for k, key in enumerate(path) if hasattr(key, "name"))
            name = _told(path[: field + 1]).removeprefix(_inner(group))
            beyond = path[field + 1 :]
            if beyond and hasattr(beyond[0], "idx"):
                state[beyond[0].idx][f"{name} {_told(beyond[1:])}"] = np.array(leaf)
            else:
                groups[group][f"{name} {_told(beyond)}"] = np.array(leaf)
        return {
            "params": [np.array(p) for p in self.params],
            "state": state,
            "groups": groups,
            "loss": [],
            "rates": [],
        }


_told = jax.tree_util.keystr


def _inner(group: int) -> str:
    """How the paths into a group's state begin."""
    return f".inner_states[{group}]"


def _lived(variant: str, groups: Sequence[Operation], numbers: Mapping[str, float]) -> Lived:
    own = [{**numbers, **{k: x for k, x in g.items() if k != "params"}} for g in groups]
    places = [k for k, group in enumerate(groups) for _ in group["params"]]
    params = [jax.numpy.asarray(x) for group in groups for x in group["params"]]
    return Lived(_MADE[variant], own, places, params)


def _capabilities() -> Iterator[LifeCapability]:
    for variant in _MADE:
        yield LifeCapability(
            rule="optimizer",
            variant=variant,
            numbers=_NUMBERS.get(variant.partition("_")[0], {}),
            offers=("groups",),
            dialect={"counts": "group", "programs": "together"},
            level="smoke" if variant in _SMOKE else "standard",
        )


CAPABILITIES = tuple(_capabilities())


def lived(capability: Capability, programs: Sequence[Program]) -> list[list[Observation]]:
    """What is seen in lives of one transformation."""

    def formatted(name: str) -> None:
        jax.config.update("jax_enable_x64", name == "float64")

    return all_lived(partial(_lived, capability.variant), programs, formatted, "float32")
