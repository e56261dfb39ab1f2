"""optimi on the CPU, without Triton: in lists, one by one, and in the backward pass.

Moments are kept corrected. Kahan summation of 16-bit parameters, which no rule has, is turned off.
decouple_lr multiplies the decay by lr / max_lr: with max_lr = 1/2, half the decay is a decay by lr.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import optimi
import torch

from truestep.fast.peers import torch_like
from truestep.fast.peers.torch_like import (
    DECAY,
    ELEMENTS,
    IN_FLOAT32,
    LISTS,
    MOMENTS,
    Bridge,
    Named,
    Row,
)
from truestep.fast.peers.torch_signatures import life
from truestep.fast.protocol import Fixed, Slot
from truestep.reference.declared import Hyper

# The step that hooks make in the backward pass, one parameter after the other.
RELEASED: Mapping[str, Mapping[str, object]] = {"released": {"gradient_release": True}}

BETAS = {"beta1": "beta1", "beta2": "beta2"}
NUMBERS = {**BETAS, "eps": "eps", **DECAY}
IN_AVERAGE = {"bias_correction": "in_average"}
NAN_SIGN = {"nan_sign": "zero"}
MAX_LR = {"decouple_lr": True, "max_lr": 0.5}
# For which no lr makes 1 - lr weight_decay zero: see the findings.
SOME_DECAY = {"weight_decay": 0.3}
# What groups do not hold.
PAIRS = ("betas.0", "betas.1", "betas.2")
# How each class counts; Lion and SGD do not.
CLASSES: Mapping[str, Mapping[str, str]] = {
    "Adam": {"counts": "group"},
    "AdamW": {"counts": "group"},
    "Adan": {"counts": "group"},
    "Lion": {},
    "RAdam": {"counts": "group"},
    "Ranger": {"counts": "group"},
    "SGD": {},
    "StableAdamW": {"counts": "group"},
}
# The last step that an int32 counter takes and can be told of.
REACH = 2**31 - 3


def _uncompensated(hyper: Hyper, slot: Slot) -> Named:
    return {"kahan_sum": False, "triton": False}


def _halved(hyper: Hyper, slot: Slot) -> Named:
    return {**_uncompensated(hyper, slot), "weight_decay": 0.5 * hyper.weight_decay}


def _enter(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    # What the first step sets up; compensated sums; StableAdamW's eps.
    group["setup"] = True
    dtype = getattr(torch, slot.param.dtype.name)
    state |= {"kahan_comp": None, "eps_sq": torch.tensor(hyper.eps**2, dtype=dtype)}


def _enter_uncounted(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    state["kahan_comp"] = None
    if getattr(hyper, "momentum", 1.0) == 0:
        state["exp_avg"] = None


_COUNTED = Bridge(_uncompensated, _enter)
# Optimizers without bias correction have no counter.
_UNCOUNTED = Bridge(_uncompensated, _enter_uncounted)
# By group, but by tensor where each is stepped alone.
_BY_GROUP = {"t": "step"}


def _decoupled_lr(row: Row, dialect: Mapping[str, str], fixed: Mapping[str, Fixed]) -> Row:
    """The row with a decay by lr over its largest value."""
    return replace(
        row,
        prefix=f"{row.prefix}decoupled_lr_",
        dialect={**row.dialect, **dialect},
        options={**row.options, **MAX_LR},
        fixed={**row.fixed, **fixed},
        bridge=replace(row.bridge, entries=_halved),
        arithmetic=IN_FLOAT32,
        level="standard",
    )


def _decoupled(row: Row, decay: str) -> Row:
    """The row with a decay outside the gradient, whatever it is."""
    return replace(
        row,
        prefix="any_decay_",
        dialect={**row.dialect, "decay": decay},
        options={**row.options, "decouple_wd": True},
        arithmetic=IN_FLOAT32,
        level="standard",
    )


def _any_decay(row: Row) -> Row:
    fixed = {name: x for name, x in row.fixed.items() if name != "weight_decay"}
    return replace(row, prefix="any_decay_", fixed=fixed, arithmetic=IN_FLOAT32, level="standard")


def _released(row: Row) -> Row:
    return replace(
        row,
        paths=RELEASED,
        arithmetic=IN_FLOAT32,
        counter="step" if row.shared else "",
        shared={},
        given="vectors",
        level="standard",
    )


_ADAM = Row(
    "adam",
    "Adam",
    MOMENTS,
    NUMBERS,
    dialect=IN_AVERAGE,
    paths=LISTS,
    shared=_BY_GROUP,
    bridge=_COUNTED,
    arithmetic=ELEMENTS,
    reach=REACH,
)
_ADAMW = replace(
    _ADAM,
    rule="adamw",
    optimizer="AdamW",
    dialect={**IN_AVERAGE, "decay": "before"},
    fixed=SOME_DECAY,
)
_ADAN = replace(
    _ADAM,
    rule="adan",
    optimizer="Adan",
    state={"m": "exp_avg", "v": "exp_avg_diff", "n": "exp_avg_sq", "previous": "-prev_grad"},
    numbers={**NUMBERS, "beta3": "beta3"},
    dialect={"start": "in_average"},
)
_LION = Row(
    "lion",
    "Lion",
    {"m": "exp_avg"},
    {**BETAS, **DECAY},
    dialect=NAN_SIGN,
    paths=LISTS,
    fixed=SOME_DECAY,
    counter="",
    bridge=_UNCOUNTED,
    arithmetic=ELEMENTS,
)
_RADAM = replace(
    _ADAM, rule="radam", optimizer="RAdam", dialect={**IN_AVERAGE, "threshold": "above_5"}
)
_SGD = Row(
    "sgd",
    "SGD",
    {"b": "exp_avg"},
    {"momentum": "momentum", **DECAY},
    paths=LISTS,
    # Without dampening; with it, by the momentum.
    fixed={"dampening": 0.0},
    counter="",
    bridge=_UNCOUNTED,
    arithmetic=ELEMENTS,
)
_DAMPENED = replace(
    _SGD,
    prefix="dampened_",
    dialect={"first_step": "damped"},
    options={"dampening": True},
    fixed={"momentum": 0.9, "dampening": 0.9},
    arithmetic=IN_FLOAT32,
)
_STABLE = replace(
    _ADAM, rule="stable_adamw", optimizer="StableAdamW", dialect={}, fixed={"clip_threshold": 1.0}
)

ROWS: tuple[Row, ...] = (
    _ADAM,
    _released(_ADAM),
    _decoupled_lr(_ADAM, {"decay": "before"}, SOME_DECAY),
    _ADAMW,
    _any_decay(_ADAMW),
    _released(_ADAMW),
    _decoupled_lr(_ADAMW, {}, {}),
    _ADAN,
    _released(_ADAN),
    _decoupled_lr(_ADAN, {}, {}),
    replace(
        _ADAN,
        prefix="adam_wd_",
        dialect={**_ADAN.dialect, "decay": "before"},
        options={"adam_wd": True},
        fixed=SOME_DECAY,
        arithmetic=IN_FLOAT32,
        level="standard",
    ),
    _LION,
    _any_decay(_LION),
    _released(_LION),
    _decoupled_lr(_LION, {}, {}),
    _RADAM,
    _decoupled(_RADAM, "before"),
    _released(_RADAM),
    _decoupled_lr(_RADAM, {"decay": "before"}, SOME_DECAY),
    _SGD,
    _decoupled(_SGD, "decoupled"),
    _released(_SGD),
    _decoupled_lr(_SGD, {"decay": "decoupled"}, SOME_DECAY),
    _DAMPENED,
    replace(
        _DAMPENED, prefix="torch_init_", dialect={}, options={"dampening": True, "torch_init": True}
    ),
    _STABLE,
    _released(_STABLE),
    _decoupled_lr(_STABLE, {}, {}),
)


class Backend(torch_like.Backend):
    """optimi's classes, whose counter is an int32 tensor."""

    name, library, rows = "torch_optimi", optimi, ROWS
    lives = tuple(
        # A rate has no default; groups hold beta1 and beta2.
        life(name, partial(getattr(optimi, name), lr=1e-3), besides=PAIRS, dialect=counts)
        for name, counts in CLASSES.items()
    )
    # Of lists, and of decays that lr leaves alone.
    warns = True

    def build(self, row: Row, entries: list[Named]) -> torch.optim.Optimizer:
        """Of a released one step() steps each parameter alone, as hooks do in a backward pass."""
        optimizer = super().build(row, entries)
        if row.options.get("gradient_release"):
            whole = optimizer.step

            def each() -> None:
                for group in optimizer.param_groups:
                    for param in group["params"]:
                        whole(param=param)

            optimizer.step = each
        return optimizer

    def count(self, t: int) -> object:
        """The number of steps made as the library keeps it."""
        return torch.tensor(t, dtype=torch.int32)
