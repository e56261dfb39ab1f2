"""torch.compile of torch.optim's functional optimizers, which Optimizer.step() calls, on the CPU.

One compiled function per optimizer takes one parameter at a time, flattened: a graph is compiled
per optimizer for sizes 0, 1 and above and for SGD's first step, and then reused for every shape.
torch.compile bakes Python numbers into its graphs, so the hyperparameters are fixed. Functions of
the counter are float32: compiled code keeps the counter a tensor, where eager code takes it out.
"""

import os
import shutil
from collections.abc import Callable, Mapping

import torch
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from truestep.fast.peers.torch_like import Named, Row
from truestep.fast.protocol import Fixed

FIXED: dict[str, dict[str, Fixed]] = {
    "adam": {
        "lr": 0.01,
        "beta1": 0.9,
        "beta2": 0.999,
        "eps": 1e-8,
        "weight_decay": 0.05,
        "maximize": False,
    },
    "nesterov": {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.05, "maximize": False},
    "sgd": {"lr": 0.01, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.05, "maximize": False},
}
FIXED["adamw"] = FIXED["amsgrad"] = FIXED["adam"]

# Far above what the listed cases need; reaching it is an error and not a return to eager code.
_GRAPHS = 32


def has_compiler() -> bool:
    """Whether the C++ compiler that torch.compile needs on the CPU is on the path."""
    return shutil.which(os.environ.get("CXX", "g++")) is not None


# step(param, grad, state, hyper) in place, on flat, contiguous tensors; state has torch's names.
Step = Callable[[torch.Tensor, torch.Tensor, Named, Named], None]


def compiled(row: Row) -> Step:
    """The step of one of torch.optim's Adam, AdamW and SGD with the row's options.

    It raises torch._dynamo.exc.FailOnRecompileLimitHit rather than running uncompiled.
    """
    plain = _sgd(row.options) if row.optimizer == "SGD" else _adam(row.optimizer, row.options)
    # fullgraph: an error, and not a silent return to eager code, where tracing stops.
    function = torch.compile(plain, dynamic=True, fullgraph=True)

    def step(param: torch.Tensor, grad: torch.Tensor, state: Named, hyper: Named) -> None:
        limit = torch._dynamo.config.patch(
            fail_on_recompile_limit_hit=True, recompile_limit=_GRAPHS
        )
        with limit, torch.no_grad():
            function(param, grad, state, dict(hyper))

    return step


def _adam(optimizer: str, options: Mapping[str, object]) -> Step:
    amsgrad = bool(options.get("amsgrad"))

    def step(param: torch.Tensor, grad: torch.Tensor, state: Named, hyper: Named) -> None:
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


def _sgd(options: Mapping[str, object]) -> Step:
    nesterov = bool(options.get("nesterov"))

    def step(param: torch.Tensor, grad: torch.Tensor, state: Named, hyper: Named) -> None:
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
