"""torch.compile of torch.optim's functional optimizers, which Optimizer.step() calls, on the CPU.

One compiled function per optimizer takes one parameter at a time, flattened: a graph is compiled
per optimizer for sizes 0, 1 and above and for SGD's first step, and then reused for every shape.
torch.compile bakes Python numbers into its graphs, so the hyperparameters are fixed. Functions of
the counter are float32: compiled code keeps the counter a tensor, where eager code takes it out.
"""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any

FIXED: dict[str, dict[str, Any]] = {
    "adam": {
        "lr": 0.01,
        "beta1": 0.9,
        "beta2": 0.999,
        "eps": 1e-8,
        "weight_decay": 0.05,
        "maximize": False,
    },
    "nesterov": {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.05, "maximize": False},
    "sgd": {
        "lr": 0.01,
        "momentum": 0.9,
        "dampening": 0.5,
        "weight_decay": 0.05,
        "maximize": False,
    },
}
FIXED["adamw"] = FIXED["amsgrad"] = FIXED["adam"]

# Far above what the listed cases need; reaching it is an error and not a return to eager code.
_GRAPHS = 32


def has_compiler() -> bool:
    """Whether the C++ compiler that torch.compile needs on the CPU is on the path."""
    return shutil.which(os.environ.get("CXX", "g++")) is not None


class CompiledOptimizer:
    """One of torch.optim's "Adam", "AdamW", "SGD" with its constructor's options, compiled."""

    def __init__(self, torch: Any, optimizer: str, options: Mapping[str, Any]) -> None:
        self._torch = torch
        function = _sgd(options) if optimizer == "SGD" else _adam(optimizer, options)
        # fullgraph: an error, and not a silent return to eager code, where tracing stops.
        self._function = torch.compile(function, dynamic=True, fullgraph=True)

    def step(self, param: Any, grad: Any, state: dict[str, Any], hyper: Mapping[str, Any]) -> None:
        """One step on flat, contiguous tensors, in place; state has torch's names.

        Raises torch._dynamo.exc.FailOnRecompileLimitHit rather than running uncompiled.
        """
        torch = self._torch
        limit = torch._dynamo.config.patch(
            fail_on_recompile_limit_hit=True, recompile_limit=_GRAPHS
        )
        with limit, torch.no_grad():
            self._function(param, grad, state, dict(hyper))


def _adam(optimizer: str, options: Mapping[str, Any]) -> Callable[..., None]:
    # By its full name: the package torch.optim hides its modules behind the classes.
    adam = importlib.import_module("torch.optim.adam").adam
    amsgrad = bool(options.get("amsgrad"))

    def step(param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> None:
        beta1, beta2 = hyper.pop("betas")
        adam(
            [param],
            [grad],
            [state["exp_avg"]],
            [state["exp_avg_sq"]],
            [state["max_exp_avg_sq"]] if amsgrad else [],
            [state["step"]],
            foreach=False,
            fused=False,
            decoupled_weight_decay=optimizer == "AdamW",
            amsgrad=amsgrad,
            beta1=beta1,
            beta2=beta2,
            **hyper,
        )

    return step


def _sgd(options: Mapping[str, Any]) -> Callable[..., None]:
    sgd = importlib.import_module("torch.optim.sgd").sgd
    nesterov = bool(options.get("nesterov"))

    def step(param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> None:
        buffers = [state.get("momentum_buffer")]
        dampening = hyper.pop("dampening", 0.0)
        sgd(
            [param],
            [grad],
            buffers,
            foreach=False,
            fused=False,
            dampening=dampening,
            nesterov=nesterov,
            **hyper,
        )
        if buffers[0] is not None:
            state["momentum_buffer"] = buffers[0]

    return step
