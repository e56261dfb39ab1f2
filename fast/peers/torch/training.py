"""PyTorch's training-loop pieces on the CPU: clipping, GradScaler, sums and means of gradients.

Arithmetic: a norm is the norm of the tensors' norms, each summed in an order that depends on the
tensor's layout and is charged as one after another; below float32, sums are float32 and what comes
out of each function is rounded. GradScaler keeps its scale in float32, multiplies by its reciprocal
and asks the optimizer, SGD here, for the step. Micro-batches are accumulated as every training
script does it: the loss, or the loss divided by their number, goes backward into the same grad.
Workers' gradients are averaged by DistributedDataParallel: see parallel.py.
"""

from collections.abc import Sequence

import numpy as np
import torch

from truestep.fast.peers.torch import parallel
from truestep.fast.peers.torch_feedback import plateau_rows
from truestep.fast.peers.torch_like import ELEMENTS
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.peers.training_row import Call, Row
from truestep.fast.protocol import Array, Inputs, Outputs
from truestep.reference.declared import Hyper
from truestep.reference.training.dynamic_loss_scaling import MOMENTUM, RATE


def _params(values: Sequence[Array], gradients: Sequence[Array]) -> list[torch.Tensor]:
    params = [to_tensor(x) for x in values]
    for p, g in zip(params, gradients, strict=True):
        p.grad = to_tensor(g)
    return params


def _gradients(params: Sequence[torch.Tensor]) -> list[Array]:
    return [from_tensor(p.grad) for p in params]


def _clip_norm(norm: float, foreach: bool) -> Call:
    def call(h: Hyper, inputs: Inputs) -> Outputs:
        gradients = inputs["gradients"]
        params = _params(gradients, gradients)
        total = torch.nn.utils.clip_grad_norm_(params, h.max_norm, norm, foreach=foreach)
        return {"clipped": _gradients(params), "norm": float(total)}

    return call


def _clip_value(foreach: bool) -> Call:
    def call(h: Hyper, inputs: Inputs) -> Outputs:
        gradients = inputs["gradients"]
        params = _params(gradients, gradients)
        torch.nn.utils.clip_grad_value_(params, h.max_value, foreach=foreach)
        return {"clipped": _gradients(params)}

    return call


def _scaled_step(**path: bool) -> Call:
    def call(h: Hyper, inputs: Inputs) -> Outputs:
        # Fused kernels take dense tensors alone.
        dense = {k: [x.copy() for x in inputs[k]] for k in ("params", "gradients", "moments")}
        tensors = dense if path.get("fused") else inputs
        params = _params(tensors["params"], tensors["gradients"])
        optimizer = torch.optim.SGD(params, lr=RATE, momentum=MOMENTUM, **path)
        for p, m in zip(params, tensors["moments"], strict=True):
            # Before the first step torch has no buffer.
            if inputs["t"] > 0 or np.any(m):
                optimizer.state[p]["momentum_buffer"] = to_tensor(m)
        scaler = torch.amp.GradScaler(
            "cpu",
            init_scale=inputs["scale"],
            growth_factor=h.growth,
            backoff_factor=h.backoff,
            growth_interval=h.window,
        )
        tracker = {"_growth_tracker": inputs["good"], "scale": inputs["scale"]}
        scaler.load_state_dict({**scaler.state_dict(), **tracker})
        scaler.scale(torch.zeros(1))  # makes the tensors of the state
        scaler.step(optimizer)
        # Asked before update, which forgets it.
        found = scaler._per_optimizer_states[id(optimizer)]["found_inf_per_device"]
        skipped = any(bool(x.item()) for x in found.values())
        scaler.update()
        moments = [
            from_tensor(optimizer.state[p]["momentum_buffer"])
            if "momentum_buffer" in optimizer.state[p]
            else m.copy()
            for p, m in zip(params, tensors["moments"], strict=True)
        ]
        return {
            "t": inputs["t"] + 1,
            "scale": scaler.get_scale(),
            "good": int(scaler._get_growth_tracker()),
            "patience": inputs["patience"],
            "skipped": skipped,
            "params": [from_tensor(p) for p in params],
            "moments": moments,
        }

    return call


def _backward(divided: bool) -> Call:
    def call(h: Hyper, inputs: Inputs) -> Outputs:
        gradients = [to_tensor(g) for g in inputs["gradients"]]
        # Contiguous: autograd keeps a gradient in the layout of its parameter.
        params = [torch.zeros(g.shape, dtype=g.dtype, requires_grad=True) for g in gradients]
        if inputs["t"]:
            for p, total in zip(params, inputs["totals"], strict=True):
                p.grad = torch.zeros_like(p).copy_(to_tensor(total))
        # The loss whose gradient this is.
        loss = sum((p * g).sum() for p, g in zip(params, gradients, strict=True))
        (loss / h.steps if divided else loss).backward()
        totals = _gradients(params)
        due = inputs["t"] + 1 == h.steps
        zeros = [np.zeros_like(x) for x in totals]
        return {
            "t": 0 if due else inputs["t"] + 1,
            "totals": zeros if due else totals,
            # The loop keeps no weight: its micro-batches weigh the same.
            "weight": 0.0 if due else inputs["weight"] + inputs["examples"],
            "due": due,
            "results": totals if due else zeros,
        }

    return call


_SUMS = {"float32": "sequential_float32", "float64": "sequential_float64"}
_SCALER = {"hysteresis": 1, "max_scale": float(np.finfo(np.float32).max), "min_scale": 0.0}
# Workers who are all connected with all, by sockets of one process.
_MOST_WORKERS = 16
_DATA_PARALLEL = Row(
    "data_parallel", "ddp", parallel.averaged, {"form": "shares"}, {}, ELEMENTS,
    workers=_MOST_WORKERS,
)  # fmt: skip

ROWS: tuple[Row, ...] = (
    *(
        Row(
            "clip_by_global_norm",
            f"{norm}_{path}",
            _clip_norm({"two": 2.0, "infinity": float("inf")}[norm], path == "foreach"),
            {"form": "shrunk", "norm": norm},
            {"eps": 1e-6},
            _SUMS if norm == "two" else ELEMENTS,
            # The largest element of none is an error in torch.
            "nonempty" if norm == "infinity" else "any",
        )
        for norm in ("infinity", "two")
        for path in ("foreach", "single")
    ),
    *(
        Row("clip_by_value", path, _clip_value(path == "foreach"), arithmetic=ELEMENTS)
        for path in ("foreach", "single")
    ),
    *([_DATA_PARALLEL] if parallel.available() else []),
    *(
        Row("dynamic_loss_scaling", path, _scaled_step(**options), fixed=_SCALER)
        for path, options in (
            ("foreach", {"foreach": True}),
            ("fused", {"fused": True}),
            ("single", {"foreach": False}),
        )
    ),
    Row("gradient_accumulation", "loss", _backward(False), {"form": "sum"}, {}, ELEMENTS),
    Row("gradient_accumulation", "loss_over_k", _backward(True), {"form": "terms"}, {}, ELEMENTS),
    *plateau_rows(torch.optim.lr_scheduler.ReduceLROnPlateau),
)
