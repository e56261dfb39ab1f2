"""Keras's training-loop pieces on its torch backend: clipping, accumulation and scaling.

They live in the base of every optimizer, around update_step, which a user's own optimizer defines.
Ours record there what gradients arrive, or make the step that a loss scale skips or lets through.
Delayed scaling is two functions, which the layers in 8-bit floats call. They roll their history
before they enter an extreme, the reference afterwards.

Arithmetic: every torch operation rounds to float32. The scale is a float32 variable that doubles
and halves.
"""

import importlib
from collections.abc import Sequence

import numpy as np
import torch

from truestep.fast.peers.keras import feedback
from truestep.fast.peers.keras.library import keras, variable
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.peers.training_row import DOUBLING, Call, Row
from truestep.fast.protocol import Array, Inputs, Outputs
from truestep.reference.declared import Hyper
from truestep.reference.training.dynamic_loss_scaling import MOMENTUM, RATE

# What the torch backend's optimizers derive from.
_PARALLEL = importlib.import_module(
    "keras.src.backend.torch.optimizers.torch_parallel_optimizer"
).TorchParallelOptimizer


class Recorder(keras.optimizers.Optimizer):  # type: ignore[misc]
    """An optimizer that moves nothing and keeps each gradient that arrives."""

    def __init__(self, **options: object) -> None:
        super().__init__(learning_rate=1.0, **options)
        self.arrived: list[torch.Tensor] = []

    def update_step(
        self, gradient: torch.Tensor, variable: keras.Variable, learning_rate: keras.Variable
    ) -> None:
        """Keep the gradient."""
        self.arrived.append(gradient)


class ParallelRecorder(_PARALLEL, Recorder):  # type: ignore[misc, valid-type]
    """The same on the path that the torch backend puts in the place of the other."""

    def _parallel_update_step(
        self,
        grads: Sequence[torch.Tensor],
        variables: Sequence[keras.Variable],
        learning_rate: keras.Variable,
    ) -> None:
        self.arrived.extend(grads)


class Momentum(keras.optimizers.Optimizer):  # type: ignore[misc]
    """The optimizer of dynamic_loss_scaling; Keras's SGD has the rate inside its velocity."""

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Zero moments."""
        super().build(variables)
        self.moments = self.add_optimizer_variables(variables, "momentum")

    def update_step(
        self, gradient: torch.Tensor, variable: keras.Variable, learning_rate: keras.Variable
    ) -> None:
        """One step of one variable."""
        moment = self.moments[self._get_variable_index(variable)]
        self.assign(moment, MOMENTUM * moment + gradient)
        self.assign(variable, variable - learning_rate * moment)


def _variables(values: Sequence[Array]) -> list[keras.Variable]:
    return [variable(to_tensor(x)) for x in values]


def _clipped(argument: str, limit: str) -> Call:
    def call(h: Hyper, inputs: Inputs) -> Outputs:
        gradients = [to_tensor(g) for g in inputs["gradients"]]
        optimizer = Recorder(**{argument: getattr(h, limit)})
        optimizer.apply(gradients, _variables(inputs["gradients"]))
        return {"clipped": [from_tensor(g) for g in optimizer.arrived]}

    return call


def _accumulated(make: type[Recorder]) -> Call:
    def call(h: Hyper, inputs: Inputs) -> Outputs:
        # Keras takes 2 or more; for every micro-batch a step is no accumulation.
        optimizer = make(gradient_accumulation_steps=h.steps if h.steps > 1 else None)
        optimizer.build(_variables(inputs["gradients"]))
        optimizer._iterations.assign(inputs["t"])
        accumulators = optimizer._accumulated_gradients if h.steps > 1 else []
        for accumulator, total in zip(accumulators, inputs["totals"], strict=h.steps > 1):
            accumulator.assign(to_tensor(total))
        optimizer.apply([to_tensor(g) for g in inputs["gradients"]])
        arrived = optimizer.arrived
        totals = [from_tensor(accumulator.value) for accumulator in accumulators]
        return {
            "t": int(optimizer._iterations.value) % h.steps,
            "totals": totals or [x.copy() for x in inputs["totals"]],
            # Keras keeps no weight: its micro-batches weigh the same.
            "weight": 0.0 if arrived else inputs["weight"] + inputs["examples"],
            "due": bool(arrived),
            "results": [from_tensor(g) for g in arrived]
            or [np.zeros_like(g) for g in inputs["gradients"]],
        }

    return call


def _scaled_step(h: Hyper, inputs: Inputs) -> Outputs:
    inner = Momentum(learning_rate=RATE)
    optimizer = keras.optimizers.LossScaleOptimizer(
        inner, initial_scale=inputs["scale"], dynamic_growth_steps=h.window
    )
    params = _variables(inputs["params"])
    optimizer.build(params)
    optimizer.step_counter.assign(inputs["good"])
    for moment, value in zip(inner.moments, inputs["moments"], strict=True):
        moment.assign(to_tensor(value))
    optimizer.apply([to_tensor(g) for g in inputs["gradients"]])
    return {
        "t": inputs["t"] + 1,
        "scale": float(optimizer.dynamic_scale.value),
        "good": int(optimizer.step_counter.value),
        "patience": inputs["patience"],
        "skipped": int(inner.iterations.value) == 0,
        "params": [from_tensor(p.value) for p in params],
        "moments": [from_tensor(m.value) for m in inner.moments],
    }


def _delayed(h: Hyper, inputs: Inputs) -> Outputs:
    known = torch.roll(to_tensor(inputs["amax_history"]), 1)
    history = keras.quantizers.compute_float8_amax_history(to_tensor(inputs["x"]), known)
    amax, scale, largest = (
        keras.ops.max(history, axis=0),
        torch.tensor(inputs["scale"], dtype=torch.float32),
        torch.tensor(h.largest, dtype=torch.float32),
    )
    scale = keras.quantizers.compute_float8_scale(amax, scale, largest, h.margin)
    later = torch.roll(history, -1)
    later[0] = 0
    return {"amax_history": from_tensor(later), "scale": float(scale)}


_DELAYED = {"kept": "reciprocal", "newest": "replaced", "overflow": "of_quotient"}

ROWS: tuple[Row, ...] = (
    Row("clip_by_global_norm", "", _clipped("global_clipnorm", "max_norm"), {"form": "reciprocal"}),
    Row("clip_by_value", "", _clipped("clipvalue", "max_value")),
    Row("delayed_scaling", "", _delayed, _DELAYED, shapes="nonempty"),
    Row("dynamic_loss_scaling", "", _scaled_step, fixed=DOUBLING),
    Row("gradient_accumulation", "generic", _accumulated(Recorder), {"form": "mean"}),
    Row("gradient_accumulation", "parallel", _accumulated(ParallelRecorder), {"form": "mean"}),
    *feedback.ROWS,
)
