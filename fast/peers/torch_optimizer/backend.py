"""jettify's torch_optimizer on the CPU: which reference rule each computes, and its options.

torch's norm and dot add in a few lanes, one element after another.
"""

import math
from dataclasses import replace

import torch
import torch_optimizer

from truestep.fast.peers import torch_like
from truestep.fast.peers.torch_like import (
    BETAS,
    BUFFER,
    DECAY,
    EPS,
    FACTORED,
    MOMENTS,
    SEQUENTIAL,
    SIDES,
    Bridge,
    Named,
    Row,
    number,
)
from truestep.fast.peers.torch_matrices import shampoo
from truestep.fast.peers.torch_tensors import to_tensor
from truestep.fast.protocol import Slot
from truestep.reference.declared import Hyper


def _phase_of_swats(hyper: Hyper, slot: Slot) -> Named:
    if not slot.state["switched"]:
        return {"phase": "ADAM"}
    return {"phase": "SGD", "lr": slot.state["sgd_lr"].item()}


def _enter_swats(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    state["exp_avg2"] = torch.tensor([slot.state["average"].item()], dtype=torch.float32)
    if slot.state["switched"]:
        state["momentum_buffer"] = to_tensor(slot.state["b"])


def _leave_swats(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    switched = group["phase"] == "SGD"
    rate = group["lr"] if switched else slot.state["sgd_lr"].item()
    return {
        "average": number(state["exp_avg2"], slot.state["average"]),
        "sgd_lr": number(rate, slot.state["sgd_lr"]),
        "switched": number(switched, slot.state["switched"]),
    }


_ADAFACTOR = Row(
    "adafactor",
    "Adafactor",
    FACTORED,
    {
        "decay_rate": "-decay_rate",
        "eps1": "eps2",
        "eps2": "eps2",
        "clip_threshold": "clip_threshold",
        **DECAY,
    },
    dialect={"decay": "step"},
    # The library caps relative steps by 1e-2, its decay by nothing.
    fixed={"beta2_cap": 1.0, "lr": 1e-2, "min_size": 0},
    squeezed=SIDES,
    # Of other shapes it raises on some: see the findings.
    shapes="matrices",
    arithmetic=SEQUENTIAL,
)
_LAMB = Row(
    "lamb",
    "Lamb",
    MOMENTS,
    {**BETAS, **EPS, **DECAY},
    dialect={"bias_correction": "none", "clip": "norm_10", "guard": "one"},
    arithmetic=SEQUENTIAL,
)
_SGD = Row(
    "sgd",
    "SGDW",
    {"b": "momentum_buffer"},
    {"momentum": "momentum", "dampening": "dampening", **DECAY},
    dialect={"decay": "decoupled"},
    counter="",
    bridge=BUFFER,
)
ROWS: tuple[Row, ...] = (
    _ADAFACTOR,
    replace(_ADAFACTOR, prefix="any_shape_", shapes="nonempty"),
    replace(
        _ADAFACTOR,
        state={**FACTORED, "m": "exp_avg"},
        numbers={**_ADAFACTOR.numbers, "beta1": "beta1"},
        prefix="momentum_",
        dialect={"decay": "step", "momentum": "of_step", "step_size": "constant"},
        options={"relative_step": False},
        fixed={"beta2_cap": 1.0, "min_size": 0},
    ),
    _ADAFACTOR.but(
        "unscaled_",
        {"decay": "step", "parameter_scale": "none", "step_size": "constant"},
        {"relative_step": False, "scale_parameter": False},
        fixed={"beta2_cap": 1.0, "min_size": 0},
    ),
    _ADAFACTOR.but("warmup_", {"decay": "step", "step_size": "warmup"}, {"warmup_init": True}),
    _LAMB,
    _LAMB.but("debiased_", {"bias_correction": "after_ratio"}, {"debias": True}),
    replace(
        _LAMB,
        prefix="unclamped_",
        dialect={"bias_correction": "none", "guard": "one"},
        options={"clamp_value": math.inf},
    ),
    Row(
        "lars",
        "LARS",
        {"b": "momentum_buffer"},
        {"momentum": "momentum", "trust_coefficient": "trust_coefficient", **EPS, **DECAY},
        dialect={"adapts": "with_decay", "guard": "undecayed", "momentum_form": "lr_outside"},
        # Without momentum there is no buffer.
        fixed={"momentum": 0.9},
        counter="",
        arithmetic=SEQUENTIAL,
    ),
    Row(
        "nesterov",
        "SGDW",
        {"u": "momentum_buffer"},
        {"momentum": "momentum", **DECAY},
        dialect={"decay": "decoupled", "form": "torch"},
        options={"momentum": 0.9, "nesterov": True},
        fixed={"momentum": 0.9, "weight_decay": 0.0},
        counter="",
    ),
    Row(
        "radam",
        "RAdam",
        MOMENTS,
        {**BETAS, **EPS, **DECAY},
        dialect={"decay": "before", "eps_placement": "before_correction", "threshold": "from_5"},
    ),
    _SGD,
    _SGD.but("undecayed_", fixed={"weight_decay": 0.0}),
    Row(
        "shampoo",
        "Shampoo",
        {"m": "momentum_buffer"},
        {
            "momentum": "momentum",
            "eps": "epsilon",
            "precondition_frequency": "update_freq",
            **DECAY,
        },
        dialect={
            "exponent": "order",
            "momentum_form": "fed_back",
            "spectrum": "as_found",
            "statistics": "preconditioned",
        },
        departures=("exponent",),
        bridge=shampoo("precond"),
        shapes="nonempty",
    ),
    Row(
        "swats",
        "SWATS",
        {**MOMENTS, "b": "momentum_buffer"},
        {**BETAS, **EPS},
        bridge=Bridge(_phase_of_swats, _enter_swats, _leave_swats),
        single=True,
        given="vectors",
        arithmetic=SEQUENTIAL,
    ),
)


class Backend(torch_like.Backend):
    """torch_optimizer's classes."""

    name, library, rows = "torch_optimizer", torch_optimizer, ROWS
    # It calls torch by signatures that are deprecated.
    warns = True
