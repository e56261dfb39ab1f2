"""The table of bitsandbytes' optimizers with 32-bit state; eight_bit.py makes theirs with 8 of it.

Arithmetic, from bitsandbytes/backends/cpu/ops.py, _optimizer_update_32bit_cpu: parameters and
gradients in any format become float32, in which every operation and the state is; only the new
parameter is rounded to its format. Functions of the counter are Python doubles, and so are the
quotients of norms, which torch.norm sums in a few lanes, one element after another.

Hyperparameters are fixed where the library has none of the name, or ignores it: see findings.toml.
SGD and LARS refuse a momentum of 0 in their constructors, but not in a parameter group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from truestep.fast.peers.torch_like import BETAS, DECAY, EPS, Bridge, Named, Row
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Slot
from truestep.reference.declared import Hyper

# By format of the parameters: of element operations alone, and with a norm.
ELEMENTS = {"bfloat16": "bfloat16_params", "float16": "float16_params", "float32": "ieee_float32"}
NORMS = {
    "bfloat16": "sequential_bfloat16_params",
    "float16": "sequential_float16_params",
    "float32": "sequential_float32",
}
BEFORE = {"decay": "before"}
# The averages of AdEMAMix.
STACKED = ("m1", "m2")
PATHS: Mapping[str, Mapping[str, object]] = {"32bit": {}}


def _enter(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    # The norm of the last update: written, but not read.
    state["unorm_vec"] = torch.zeros(1)


def _leave_sgd(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    # Without momentum the reference leaves its buffer alone, and the library keeps the gradient.
    kept = {} if hyper.momentum > 0 else slot.state
    return {name: x.copy() for name, x in kept.items() if name != "t"}


def stacked(tensors: Mapping[str, Sequence[str]]) -> Bridge:
    """Tensors that the library has one above the other, by its names."""

    def enter(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
        for theirs, names in tensors.items():
            state[theirs] = torch.stack([to_tensor(slot.state[name]) for name in names])

    def leave(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
        return {
            name: from_tensor(x)
            for theirs, names in tensors.items()
            for name, x in zip(names, state[theirs].unbind(), strict=True)
        }

    return Bridge(enter=enter, leave=leave)


def _only_beta(name: str) -> Bridge:
    """The library's betas, whose second is not looked at."""
    return Bridge(lambda hyper, slot: {"betas": (float(getattr(hyper, name)), 0.0)}, _enter)


_BY_MOMENTUM = _only_beta("momentum")
_ADAM = Row(
    "adam",
    "Adam",
    {"m": "state1", "v": "state2"},
    {**BETAS, **EPS, **DECAY},
    dialect=BEFORE,
    paths=PATHS,
    arithmetic=ELEMENTS,
    bridge=Bridge(enter=_enter),
)
_ADEMAMIX = replace(
    _ADAM,
    rule="ademamix",
    optimizer="AdEMAMix",
    state={"v": "state2"},
    numbers={
        **_ADAM.numbers,
        "beta3": "betas",
        "alpha": "alpha",
        "alpha_warmup": "t_alpha",
        "beta3_warmup": "t_beta3",
    },
    bridge=stacked({"state1": STACKED}),
)

ROWS: tuple[Row, ...] = (
    replace(
        _ADAM,
        rule="adagrad",
        optimizer="Adagrad",
        state={"total": "state1"},
        numbers={**EPS, **DECAY},
        dialect={},
        fixed={"initial_total": 0.0, "lr_decay": 0.0},
        bridge=Bridge(lambda hyper, slot: {"betas": (0.0, 0.0)}, _enter),
    ),
    replace(_ADAM, departures=("decay",)),
    replace(_ADAM, rule="adamw", optimizer="AdamW"),
    replace(_ADEMAMIX, fixed={"alpha_warmup": 0, "beta3_warmup": 0}),
    # Counts on either side are drawn.
    _ADEMAMIX.but("scheduled_", fixed={"alpha_warmup": 50, "beta3_warmup": 500}),
    replace(
        _ADAM,
        rule="lamb",
        optimizer="LAMB",
        dialect={"clip": "below_1", "decay": "after_norm"},
        options={"max_unorm": 1.0},
        arithmetic=NORMS,
    ),
    replace(
        _ADAM,
        rule="lars",
        optimizer="LARS",
        state={"b": "state1"},
        numbers={"trust_coefficient": "max_unorm", **DECAY},
        dialect={"clip": "below_1", "momentum_form": "trust_outside", "ratio": "norm_of_sum"},
        options={"momentum": 0.9},
        fixed={"eps": 0.0},
        arithmetic=NORMS,
        # max_unorm belongs to the optimizer.
        apart=True,
        bridge=_BY_MOMENTUM,
    ),
    replace(
        _ADAM,
        rule="lion",
        optimizer="Lion",
        state={"m": "state1"},
        numbers={**BETAS, **DECAY},
        dialect={"nan_sign": "zero"},
    ),
    replace(
        _ADAM,
        rule="rmsprop",
        optimizer="RMSprop",
        state={"v": "state1"},
        numbers={**EPS, **DECAY},
        dialect={},
        fixed={"centered": False, "initial_v": 0.0, "momentum": 0.0},
        bridge=_only_beta("alpha"),
    ),
    replace(
        _ADAM,
        rule="sgd",
        optimizer="SGD",
        state={"b": "state1"},
        numbers=DECAY,
        dialect={},
        options={"momentum": 0.9},
        fixed={"dampening": 0.0},
        bridge=replace(_BY_MOMENTUM, leave=_leave_sgd),
    ),
)
