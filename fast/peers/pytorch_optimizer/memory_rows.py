"""pytorch-optimizer's optimizers that save memory: factored, blocked, or fused with backward()."""

from collections.abc import Mapping
from dataclasses import replace

import torch

from truestep.fast.peers import torch_like
from truestep.fast.peers.pytorch_optimizer.row import ALONE, BETAS3, COUPLED, Row
from truestep.fast.peers.pytorch_optimizer.states import ADAM_MINI, SM3
from truestep.fast.peers.torch_like import (
    BETAS,
    DECAY,
    EPS,
    FACTORED,
    INSTABILITY,
    SEQUENTIAL,
    SIDES,
    Bridge,
    Named,
)
from truestep.fast.protocol import Slot
from truestep.reference.declared import Hyper

# Steps that are made inside backward().
BACKWARD: Mapping[str, Mapping[str, object]] = {"fused": {}}


def _cap(hyper: Hyper, slot: Slot) -> Named:
    return {"betas": (None, hyper.beta2_cap)}


_LIMITS = {"clip_threshold": "clip_threshold", "decay_rate": "-decay_rate"}
_ADAFACTOR = Row(
    "adafactor",
    "AdaFactor",
    FACTORED,
    {"eps1": "eps1", "eps2": "eps2", **_LIMITS, **DECAY},
    dialect={"decay": "step"},
    bridge=Bridge(_cap),
    # The library caps its decay by a beta2 below 1, and its relative steps by 1e-2.
    fixed={"beta2_cap": 0.999, "lr": 1e-2, "min_size": 0},
    squeezed=SIDES,
    shapes="nonempty",
    arithmetic=SEQUENTIAL,
)
_CAME = Row(
    "came",
    "CAME",
    {**FACTORED, "m": "exp_avg", **INSTABILITY},
    {**BETAS3, "eps1": "eps1", "eps2": "eps2", "clip_threshold": "clip_threshold", **DECAY},
    squeezed={**SIDES, "instability_r": -1, "instability_c": -2},
    shapes="nonempty",
    arithmetic=SEQUENTIAL,
)
_LOMO = Row(
    "lomo",
    "LOMO",
    dialect={"overflow": "skip"},
    # The library decays nothing, and adds 1e-6 to the norm.
    # No loss is scaled.
    fixed={"eps": 1e-6, "loss_scale": 1.0, "weight_decay": 0.0},
    paths=BACKWARD,
    arithmetic=SEQUENTIAL,
)
_SM3 = Row(
    "sm3",
    "SM3",
    {"m": "momentum_buffer"},
    {"momentum": "momentum", "beta": "beta", **EPS},
    dialect={"accumulator": "average_held"},
    fixed={"momentum": 0.9, "weight_decay": 0.0, "eps": (1e-30, 1e-8, 1e-3, 1.0)},
    bridge=SM3,
    shapes="nonempty",
)

MEMORY_ROWS: tuple[torch_like.Row, ...] = (
    _ADAFACTOR,
    replace(
        _ADAFACTOR,
        state={**FACTORED, "m": "exp_avg"},
        numbers={"beta1": "betas", "beta2_cap": "betas", **_ADAFACTOR.numbers},
        prefix="momentum_",
        dialect={"decay": "step", "momentum": "of_step", "step_size": "constant"},
        options={"relative_step": False, "momentum_dtype": torch.float32},
        fixed={"beta2_cap": 0.999, "min_size": 0},
        bridge=Bridge(),
    ),
    replace(
        _ADAFACTOR,
        prefix="unscaled_",
        dialect={"parameter_scale": "none", "step_size": "constant"},
        options={"relative_step": False, "scale_parameter": False},
        fixed={"beta2_cap": 0.999, "min_size": 0},
    ),
    Row(
        "adalomo",
        "AdaLOMO",
        FACTORED,
        {"eps1": "eps1", "eps2": "eps2", **_LIMITS, **DECAY},
        options={"loss_scale": 0.0},
        fixed={"maximize": False},
        paths=BACKWARD,
        squeezed=SIDES,
        shapes="matrices",
        arithmetic=SEQUENTIAL,
    ),
    Row(
        "adam_mini",
        "AdamMini",
        {"m": "m", "v": "v"},
        {**BETAS, **EPS, **DECAY},
        prefix="embedding_",
        dialect={"blocks": "elements"},
        paths=ALONE,
        module="embed",
    ),
    Row(
        "adam_mini",
        "AdamMini",
        {"m": "m", "v": "v_mean"},
        {**BETAS, **EPS, **DECAY},
        dialect={"blocks": "tensor"},
        bridge=ADAM_MINI,
        module="weight",
        shapes="nonempty",
    ),
    _CAME,
    _CAME.but("coupled_", {"decay": "coupled"}, COUPLED),
    _LOMO,
    replace(
        _LOMO,
        numbers={"clip_norm": "clip_grad_norm"},
        prefix="norm_",
        dialect={"clip": "norm", "overflow": "skip"},
    ),
    replace(
        _LOMO,
        numbers={"clip_value": "clip_grad_value"},
        prefix="value_",
        dialect={"clip": "value", "overflow": "skip"},
    ),
    _SM3,
    replace(_SM3, prefix="forgetting_", fixed={**_SM3.fixed, "beta": 0.0}),
    replace(
        _SM3,
        numbers={"momentum": "momentum", **EPS},
        prefix="summed_",
        dialect={},
        options={"beta": 0.0},
    ),
)
