"""pytorch-optimizer's training-loop pieces on the CPU: agc, MuonClip's QK-Clip and loss scaling.

Arithmetic: every torch operation rounds to float32; norms add one element after another. The loss
scale is a Python float, and gradients are multiplied by its reciprocal. The scaler
counts its calls: the reference's good is their number since the last overflow, within the window.
"""

from functools import partial

import pytorch_optimizer as library
import torch

from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.peers.training_row import DOUBLING, Row
from truestep.fast.protocol import Inputs, Outputs
from truestep.reference.declared import Hyper
from truestep.reference.training.dynamic_loss_scaling import MOMENTUM, RATE


def _clipped(h: Hyper, inputs: Inputs) -> Outputs:
    pairs = zip(inputs["params"], inputs["gradients"], strict=True)
    return {
        "clipped": [
            from_tensor(library.agc(to_tensor(p), to_tensor(g), h.eps, h.clipping, h.floor))
            for p, g in pairs
        ]
    }


def _qk_clipped(h: Hyper, inputs: Inputs) -> Outputs:
    """A step without gradients, of a group for each head's queries and one for its keys."""
    suffix = "_rotary" if h.parts == "rotary" else ""
    weights = {
        role: [torch.nn.Parameter(to_tensor(x)) for x in inputs[name]]
        for role, name in (("query", "queries"), ("key", "keys"))
    }
    groups = [
        {"params": [p], "use_muon": True, "qk_clip": role + suffix, "attention_name": str(i)}
        for role, params in weights.items()
        for i, p in enumerate(params)
    ]
    optimizer = library.MuonClip(groups, qk_clip_threshold=h.threshold, qk_clip_alpha=h.alpha)
    logits = {str(i): torch.tensor([float(x)]) for i, x in enumerate(inputs["logits"])}
    optimizer.step(attention_max_logits=logits)
    return {
        "queries": [from_tensor(p) for p in weights["query"]],
        "keys": [from_tensor(p) for p in weights["key"]],
    }


def _scaled_step(h: Hyper, inputs: Inputs) -> Outputs:
    params = [torch.nn.Parameter(to_tensor(p)) for p in inputs["params"]]
    sgd = torch.optim.SGD(params, lr=RATE, momentum=MOMENTUM)
    # The scale below which it raises; the reference has no such limit.
    optimizer = library.SafeFP16Optimizer(sgd, min_loss_scale=0.0)
    scaler = library.DynamicLossScaler(inputs["scale"], h.growth, h.window)
    scaler.iter, optimizer.scaler = inputs["good"], scaler
    masters = optimizer.fp32_params
    for p, master, g, m in zip(
        params, masters, inputs["gradients"], inputs["moments"], strict=True
    ):
        p.grad = to_tensor(g)
        sgd.state[master]["momentum_buffer"] = to_tensor(m)
    optimizer.clip_main_grads(0.0)
    optimizer.step()
    since = scaler.iter - 1 - scaler.last_overflow_iter
    return {
        "t": inputs["t"] + 1,
        "scale": float(scaler.loss_scale),
        "good": since % h.window,
        "patience": inputs["patience"],
        "skipped": since == 0,
        "params": [from_tensor(p) for p in params],
        "moments": [from_tensor(sgd.state[x]["momentum_buffer"]) for x in masters],
    }


_row = partial(Row, arithmetic={"float32": "sequential_float32"})

ROWS: tuple[Row, ...] = (
    _row("adaptive_gradient_clipping", "", _clipped, {"clips": "above", "units": "rows_and_taps"}),
    _row(
        "dynamic_loss_scaling",
        "",
        _scaled_step,
        # One factor grows and shrinks.
        fixed=DOUBLING,
    ),
    _row("qk_clip", "", _qk_clipped, {"nan_logit": "spreads"}, shapes="matrices"),
    _row(
        "qk_clip",
        "rotary",
        _qk_clipped,
        {"nan_logit": "spreads", "parts": "rotary"},
        shapes="matrices",
    ),
)
