"""Keras's training-loop pieces on its torch backend: clipping, accumulation and loss scaling.

They live in the base of every optimizer, around update_step, which a user's own optimizer defines.
Ours record there what gradients arrive, or make the step that a loss scale skips or lets through.

Arithmetic: every torch operation rounds to float32. The scale is a float32 variable that doubles
and halves.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from truestep.fast.peers import training_row
from truestep.fast.peers.torch_arrays import from_tensor, to_tensor
from truestep.fast.peers.training_row import DOUBLING, Outputs, Row
from truestep.fast.protocol import Capability
from truestep.reference.training.dynamic_loss_scaling import MOMENTUM, RATE

Call = Callable[[Any, Any, Any, Mapping[str, Any]], Outputs]


def _variables(torch: Any, keras: Any, values: Sequence[Any]) -> list[Any]:
    return [
        keras.Variable(torch.nn.Parameter(to_tensor(torch, x), requires_grad=False)) for x in values
    ]


def _recorder(keras: Any, arrived: list[Any], path: str, options: Mapping[str, Any]) -> Any:
    """An optimizer that moves nothing and appends each gradient that arrives."""

    class Generic(keras.optimizers.Optimizer):  # type: ignore[misc]
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            arrived.append(gradient)

    if path == "generic":
        return Generic(learning_rate=1.0, **options)
    # What the torch backend's optimizers derive from.
    module = importlib.import_module("keras.src.backend.torch.optimizers.torch_parallel_optimizer")

    class Parallel(module.TorchParallelOptimizer, Generic):  # type: ignore[misc, name-defined]
        def _parallel_update_step(self, grads: Any, variables: Any, learning_rate: Any) -> None:
            arrived.extend(grads)

    return Parallel(learning_rate=1.0, **options)


def _clipped(argument: str, limit: str) -> Call:
    def call(torch: Any, keras: Any, h: Any, inputs: Mapping[str, Any]) -> Outputs:
        gradients = [to_tensor(torch, g) for g in inputs["gradients"]]
        arrived: list[Any] = []
        optimizer = _recorder(keras, arrived, "generic", {argument: getattr(h, limit)})
        optimizer.apply(gradients, _variables(torch, keras, inputs["gradients"]))
        return {"clipped": [from_tensor(torch, g) for g in arrived]}

    return call


def _accumulated(path: str) -> Call:
    def call(torch: Any, keras: Any, h: Any, inputs: Mapping[str, Any]) -> Outputs:
        arrived: list[Any] = []
        # Keras takes 2 or more; for every micro-batch a step is no accumulation.
        options = {"gradient_accumulation_steps": h.steps if h.steps > 1 else None}
        optimizer = _recorder(keras, arrived, path, options)
        optimizer.build(_variables(torch, keras, inputs["gradients"]))
        optimizer._iterations.assign(inputs["t"])
        accumulators = optimizer._accumulated_gradients if h.steps > 1 else []
        for accumulator, total in zip(accumulators, inputs["totals"], strict=h.steps > 1):
            accumulator.assign(to_tensor(torch, total))
        optimizer.apply([to_tensor(torch, g) for g in inputs["gradients"]])
        totals = [from_tensor(torch, accumulator.value) for accumulator in accumulators]
        return {
            "t": int(optimizer._iterations.value) % h.steps,
            "totals": totals or [x.copy() for x in inputs["totals"]],
            # Keras keeps no weight: its micro-batches weigh the same.
            "weight": 0.0 if arrived else inputs["weight"] + inputs["examples"],
            "due": bool(arrived),
            "results": [from_tensor(torch, g) for g in arrived]
            or [np.zeros_like(g) for g in inputs["gradients"]],
        }

    return call


def _momentum(keras: Any) -> Any:
    """The optimizer of dynamic_loss_scaling; Keras's SGD has the rate inside its velocity."""

    class Momentum(keras.optimizers.Optimizer):  # type: ignore[misc]
        def build(self, variables: Any) -> None:
            super().build(variables)
            self.moments = self.add_optimizer_variables(variables, "momentum")

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            moment = self.moments[self._get_variable_index(variable)]
            self.assign(moment, MOMENTUM * moment + gradient)
            self.assign(variable, variable - learning_rate * moment)

    return Momentum(learning_rate=RATE)


def _scaled_step(torch: Any, keras: Any, h: Any, inputs: Mapping[str, Any]) -> Outputs:
    inner = _momentum(keras)
    optimizer = keras.optimizers.LossScaleOptimizer(
        inner, initial_scale=inputs["scale"], dynamic_growth_steps=h.window
    )
    params = _variables(torch, keras, inputs["params"])
    optimizer.build(params)
    optimizer.step_counter.assign(inputs["good"])
    for moment, value in zip(inner.moments, inputs["moments"], strict=True):
        moment.assign(to_tensor(torch, value))
    optimizer.apply([to_tensor(torch, g) for g in inputs["gradients"]])
    return {
        "t": inputs["t"] + 1,
        "scale": float(optimizer.dynamic_scale.value),
        "good": int(optimizer.step_counter.value),
        "patience": inputs["patience"],
        "skipped": int(inner.iterations.value) == 0,
        "params": [from_tensor(torch, p.value) for p in params],
        "moments": [from_tensor(torch, m.value) for m in inner.moments],
    }


ROWS: tuple[Row, ...] = (
    Row("clip_by_global_norm", "", _clipped("global_clipnorm", "max_norm"), {"form": "reciprocal"}),
    Row("clip_by_value", "", _clipped("clipvalue", "max_value")),
    Row(
        "dynamic_loss_scaling",
        "",
        _scaled_step,
        fixed=DOUBLING,
    ),
    Row("gradient_accumulation", "generic", _accumulated("generic"), {"form": "mean"}),
    Row("gradient_accumulation", "parallel", _accumulated("parallel"), {"form": "mean"}),
)


def capabilities() -> tuple[Capability, ...]:
    """Every piece, in float32."""
    return training_row.capabilities(ROWS, "ieee_float32")


def outputs(
    torch: Any, keras: Any, capability: Capability, hyper: Any, inputs: Mapping[str, Any]
) -> Outputs:
    """What Keras gives for these inputs."""
    return training_row.find(ROWS, capability).call(torch, keras, hyper, inputs)
