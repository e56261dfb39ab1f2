"""The table of bitsandbytes' optimizers with 32-bit state, and how one of them makes a step.

Arithmetic, from bitsandbytes/backends/cpu/ops.py, _optimizer_update_32bit_cpu: parameters and
gradients in any format become float32, in which every operation and the state is; only the new
parameter is rounded to its format. Functions of the counter are Python doubles, and so are the
quotients of norms, which torch.norm sums in a few lanes, one element after another.

Hyperparameters are fixed where the library has none of the name, or ignores it: see
bitsandbytes_findings.py. SGD and LARS refuse a momentum of 0 in their constructors, but not in a
parameter group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from truestep.fast.peers.torch_arrays import from_tensor, to_tensor
from truestep.fast.peers.torch_step import Steps, step
from truestep.fast.protocol import Capability, Group, Slot, Stepped

# By format of the parameters: of element operations alone, and with a norm.
ELEMENTS = {
    "bfloat16": "bfloat16_params",
    "float16": "float16_params",
    "float32": "ieee_float32",
}
NORMS = {
    "bfloat16": "sequential_bfloat16_params",
    "float16": "sequential_float16_params",
    "float32": "sequential_float32",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One of the library's optimizers as an implementation of a reference rule.

    state: the library's names and the reference's fields; several fields are stacked in one tensor.
    betas: the reference's hyperparameters that form the library's betas. numbers: the library's
    names and the reference's of others, besides lr and weight_decay. options: constructor
    arguments. max_unorm: the hyperparameter that is this constructor argument. arithmetic: by
    format.
    """

    rule: str
    optimizer: str
    state: Mapping[str, tuple[str, ...]]
    betas: tuple[str, ...] = ()
    numbers: Mapping[str, str] = field(default_factory=dict)
    variant: str = "32bit"
    dialect: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    max_unorm: str = ""
    arithmetic: Mapping[str, str] = field(default_factory=lambda: ELEMENTS)


BETAS = ("beta1", "beta2")
EPS = {"eps": "eps"}
MOMENTS = {"state1": ("m",), "state2": ("v",)}
BEFORE = {"decay": "before"}
# No optimizer of the library can maximize.
MINIMIZES = {"maximize": False}
# What the constructors ask for; the parameter group's own numbers are used.
WITH_MOMENTUM = {"lr": 1.0, "momentum": 0.9}

_ADEMAMIX = Row(
    "ademamix",
    "AdEMAMix",
    {"state1": ("m1", "m2"), "state2": ("v",)},
    (*BETAS, "beta3"),
    {**EPS, "alpha": "alpha", "t_alpha": "alpha_warmup", "t_beta3": "beta3_warmup"},
    dialect=BEFORE,
    fixed={**MINIMIZES, "alpha_warmup": 0, "beta3_warmup": 0},
)

ROWS: tuple[Row, ...] = (
    Row(
        "adagrad",
        "Adagrad",
        {"state1": ("total",)},
        numbers=EPS,
        fixed={**MINIMIZES, "initial_total": 0.0, "lr_decay": 0.0},
    ),
    Row("adam", "Adam", MOMENTS, BETAS, EPS, dialect=BEFORE, fixed=MINIMIZES),
    Row("adamw", "AdamW", MOMENTS, BETAS, EPS, dialect=BEFORE, fixed=MINIMIZES),
    _ADEMAMIX,
    Row(
        "ademamix",
        "AdEMAMix",
        _ADEMAMIX.state,
        _ADEMAMIX.betas,
        _ADEMAMIX.numbers,
        variant="scheduled_32bit",
        dialect=BEFORE,
        # Counts on either side are drawn.
        fixed={**MINIMIZES, "alpha_warmup": 50, "beta3_warmup": 500},
    ),
    Row(
        "lamb",
        "LAMB",
        MOMENTS,
        BETAS,
        EPS,
        dialect={"clip": "below_1", "decay": "after_norm"},
        fixed=MINIMIZES,
        options={"max_unorm": 1.0},
        arithmetic=NORMS,
    ),
    Row(
        "lars",
        "LARS",
        {"state1": ("b",)},
        ("momentum",),
        dialect={"clip": "below_1", "momentum_form": "trust_outside", "ratio": "norm_of_sum"},
        fixed={**MINIMIZES, "eps": 0.0},
        options=WITH_MOMENTUM,
        max_unorm="trust_coefficient",
        arithmetic=NORMS,
    ),
    Row(
        "lion",
        "Lion",
        {"state1": ("m",)},
        BETAS,
        dialect={"nan_sign": "zero"},
        fixed=MINIMIZES,
    ),
    Row(
        "rmsprop",
        "RMSprop",
        {"state1": ("v",)},
        ("alpha",),
        EPS,
        fixed={**MINIMIZES, "centered": False, "initial_v": 0.0, "momentum": 0.0},
    ),
    Row(
        "sgd",
        "SGD",
        {"state1": ("b",)},
        ("momentum",),
        fixed={**MINIMIZES, "dampening": 0.0},
        options=WITH_MOMENTUM,
    ),
)


def capabilities() -> tuple[Capability, ...]:
    """Every row in every format of parameters."""
    return tuple(
        Capability(
            kind="optimizer",
            rule=row.rule,
            format=format,
            arithmetic=arithmetic,
            dialect=row.dialect,
            variant=row.variant,
            fixed=row.fixed,
            level="smoke" if format == "float32" else "standard",
        )
        for row in ROWS
        for format, arithmetic in row.arithmetic.items()
    )


def find(rule: str, variant: str) -> Row | None:
    """The row of that implementation, None where it is not in this table."""
    return next((row for row in ROWS if (row.rule, row.variant) == (rule, variant)), None)


def stepped(torch: Any, optim: Any, row: Row, groups: Sequence[Group]) -> list[list[Stepped]]:
    """One step() of bitsandbytes.optim's optimizer, fresh and with the state loaded.

    One optimizer for all groups, or one for each where a hyperparameter belongs to the optimizer.
    """
    if row.max_unorm:
        return [_stepped(torch, optim, row, [group])[0] for group in groups]
    return _stepped(torch, optim, row, groups)


def _stepped(torch: Any, optim: Any, row: Row, groups: Sequence[Group]) -> list[list[Stepped]]:
    options = dict(row.options)
    if row.max_unorm:
        options["max_unorm"] = float(getattr(groups[0].hyper, row.max_unorm))
    steps = Steps(
        build=lambda entries: getattr(optim, row.optimizer)(entries, **options),
        numbers=lambda group: _numbers(row, group.hyper),
        load=lambda _, slot: _loaded(torch, row, slot),
        read=lambda state, hyper, slot: _read(torch, row, state, hyper, slot),
    )
    return step(torch, groups, steps)


def _numbers(row: Row, hyper: Any) -> dict[str, Any]:
    """The parameter group's numbers."""
    betas = [float(getattr(hyper, name)) for name in row.betas]
    return {
        "lr": float(hyper.lr),
        "weight_decay": float(hyper.weight_decay),
        "betas": (*betas, *[0.0] * (2 - len(betas))),
        **{theirs: getattr(hyper, ours) for theirs, ours in row.numbers.items()},
    }


def _loaded(torch: Any, row: Row, slot: Slot) -> dict[str, Any]:
    """The library's state of one tensor; before the first step it makes its own."""
    if slot.state["t"] == 0:
        return {}
    # The norm of the last update: written, but not read.
    loaded: dict[str, Any] = {"step": slot.state["t"], "unorm_vec": torch.zeros(1)}
    for theirs, ours in row.state.items():
        tensors = [to_tensor(torch, slot.state[name]) for name in ours]
        loaded[theirs] = torch.stack(tensors) if len(tensors) > 1 else tensors[0]
    return loaded


def _read(torch: Any, row: Row, state: Mapping[str, Any], hyper: Any, slot: Slot) -> dict[str, Any]:
    """The reference's state; fields that the library does not have stay as they were."""
    out: dict[str, Any] = {k: x if k == "t" else x.copy() for k, x in slot.state.items()}
    # Without momentum the reference leaves its buffer alone, and the library keeps the gradient.
    if row.rule != "sgd" or hyper.momentum > 0:
        for theirs, ours in row.state.items():
            parts = state[theirs].unbind() if len(ours) > 1 else (state[theirs],)
            out |= {k: from_tensor(torch, x) for k, x in zip(ours, parts, strict=True)}
    return {**out, "t": state["step"]}
