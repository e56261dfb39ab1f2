"""HeavyBall on the CPU, uncompiled, one tensor after the other ("single") and in lists ("multi").

HeavyBall compiles every function with torch.compile unless heavyball.utils.compile_mode is None,
which is set here for the whole process. Compiled it computes the same lines; every shape and every
number of tensors would be compiled anew.

Muon rounds float32 to bfloat16 at random before it iterates, by one draw for each of
heavyball.utils.dither_steps; without any, as set here, the same line rounds to the nearest. Tensors
of float64 it iterates as they are.

Arithmetic: hyperparameters become tensors of the parameters' format, and so does every function of
the counter; a learning rate is float32 in any.
Moments are kept as averages that are already corrected for their zero start, by a decay that moves
with t.

Left out: SOAP, which corrects its factors within their average, keeps the average of gradients in
the bases, lifts a factor by 64 n roundings of the format before the QR step, puts the columns of a
basis back in their places, and has no basis for an axis of one: it is a rule of its own, whose
bases are others from the second step on. So are Scion, PSGD, LATHER, ADOPT and LaProp.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from truestep.fast.peers.torch_arrays import from_tensor, import_torch, to_tensor
from truestep.fast.peers.torch_step import parted_by_state, rejoined
from truestep.fast.protocol import (
    Array,
    BackendUnavailable,
    Capability,
    Group,
    Slot,
    Stepped,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One of HeavyBall's optimizers as an implementation of a reference rule.

    state: the reference's fields and the library's names. numbers: the reference's hyperparameters
    and the library's arguments, besides lr and weight_decay; several that share an argument
    ("betas") form a tuple. shared: fields that are numbers of the parameter group. arithmetic: by
    format.
    """

    rule: str
    optimizer: str
    state: Mapping[str, str]
    numbers: Mapping[str, str]
    prefix: str = ""
    dialect: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    shared: Mapping[str, str] = field(default_factory=dict)
    arithmetic: Mapping[str, str] = field(default_factory=lambda: {"float32": "float32_hyper"})
    shapes: Literal["any", "nonempty", "matrices"] = "any"


PATHS = {"multi": {"multi_tensor": True}, "single": {"multi_tensor": False}}

BETAS = {"beta1": "betas", "beta2": "betas"}
EPS = {"eps": "eps"}
MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq"}
CORRECTED = {"bias_correction": "in_average", "eps_placement": "floor"}
# The library only minimizes.
MINIMIZES = {"maximize": False}
# Every rate passes through float32, whatever the parameters: a finding. This one is exact in both.
RATE = {"float32": {}, "float64": {"lr": 2.0**-5}}

_MUON = Row(
    "muon",
    "Muon",
    {"b": "momentum"},
    {"momentum": "betas", "nesterov": "nesterov"},
    dialect={"coefficients": "quintic", "norm_guard": "floor", "scale": "tall"},
    options={"heavyball_momentum": True},
    fixed={**MINIMIZES, "eps": 1e-7, "ns_steps": 5},
    arithmetic={
        "float32": "bfloat16_newton_schulz_hyper",
        "float64": "ieee_float64",
    },
    shapes="matrices",
)
_NADAM = Row(
    "nadam",
    "NAdam",
    {**MOMENTS, "mu_product": "mu_product"},
    {**BETAS, **EPS, "momentum_decay": "momentum_decay"},
    dialect=CORRECTED,
    options={"decoupled_weight_decay": False},
    fixed=MINIMIZES,
)

ROWS: tuple[Row, ...] = (
    Row(
        "adamw",
        "AdamW",
        MOMENTS,
        {**BETAS, **EPS},
        dialect={**CORRECTED, "decay": "before"},
        fixed=MINIMIZES,
    ),
    Row(
        "ademamix",
        "AdEMAMix",
        {"m1": "exp_avg_fast", "m2": "exp_avg_slow", "v": "exp_avg_sq"},
        {**BETAS, "beta3": "betas", "alpha": "alpha", **EPS},
        dialect={**CORRECTED, "decay": "before"},
        fixed={**MINIMIZES, "alpha_warmup": 0, "beta3_warmup": 0},
    ),
    _MUON,
    replace(
        _MUON,
        prefix="added_",
        dialect={**_MUON.dialect, "momentum_form": "added"},
        options={},
        fixed={**_MUON.fixed, "nesterov": True},
    ),
    replace(
        _MUON,
        state={"b": "exp_avg"},
        prefix="averaged_",
        dialect={**_MUON.dialect, "momentum_form": "in_average"},
        options={},
        fixed={**_MUON.fixed, "nesterov": False},
        # The corrected decay is a float32 near 1 in any format.
        arithmetic={"float32": "bfloat16_newton_schulz_hyper"},
    ),
    _NADAM,
    Row(
        "nadam",
        "NAdam",
        _NADAM.state,
        _NADAM.numbers,
        prefix="decoupled_",
        dialect={**CORRECTED, "decay": "before"},
        options={"decoupled_weight_decay": True},
        fixed=MINIMIZES,
    ),
    Row(
        "rmsprop",
        "RMSprop",
        {"v": "exp_avg_sq"},
        {"alpha": "betas", **EPS},
        dialect={**CORRECTED, "decay": "before"},
        options={"betas": (0.0,)},
        fixed={**MINIMIZES, "centered": False, "initial_v": 0.0, "momentum": 0.0},
    ),
    Row(
        "schedule_free_adamw",
        "SFAdamW",
        {"z": "z", "v": "exp_avg_sq"},
        {**BETAS, **EPS, "r": "r", "weight_lr_power": "weight_lr_power"},
        dialect=CORRECTED,
        # A warm-up begins with a rate of zero, which makes every parameter nan.
        fixed={**MINIMIZES, "warmup_steps": 0},
        shared={"weight_sum": "weight_sum"},
    ),
    Row(
        "sgd",
        "SGD",
        {"b": "momentum"},
        {"momentum": "beta"},
        dialect={"decay": "decoupled"},
        fixed={**MINIMIZES, "dampening": 0.0, "momentum": 0.9},
    ),
)


class Backend:
    """heavyball, rebuilt from the given state for every step."""

    name = "heavyball"

    def __init__(self) -> None:
        self._torch = import_torch()
        try:
            import heavyball
        except ImportError as error:
            raise BackendUnavailable(f"heavyball cannot be imported: {error}") from error
        heavyball.utils.compile_mode = None
        heavyball.utils.dither_steps = 0
        self._plans: dict[tuple[str, str], tuple[Row, Callable[..., Any], dict[str, Any]]] = {
            (row.rule, row.prefix + path): (
                row,
                getattr(heavyball, row.optimizer),
                {**row.options, **options},
            )
            for row in ROWS
            for path, options in PATHS.items()
        }

    def capabilities(self) -> tuple[Capability, ...]:
        """Every optimizer of the table on both paths; those of float32 lead."""
        return tuple(
            Capability(
                kind="optimizer",
                rule=row.rule,
                format=format,
                arithmetic=arithmetic,
                dialect=row.dialect,
                variant=variant,
                fixed={**row.fixed, **RATE[format]},
                level="smoke" if format == "float32" else "standard",
                shapes=row.shapes,
            )
            for (_, variant), (row, _, _) in self._plans.items()
            for format, arithmetic in row.arithmetic.items()
        )

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One step() of a fresh optimizer for each group and count, with the state loaded."""
        row, optimizer_class, options = self._plans[capability.rule, capability.variant]
        options = {**options, "storage_dtype": capability.format}
        parts, places = parted_by_state(groups, ("t", *row.shared))
        results = [
            _stepped(self._torch, row, optimizer_class, options, part.hyper, part.slots)
            for part in parts
        ]
        return rejoined(results, places)


def _stepped(
    torch: Any,
    row: Row,
    optimizer_class: Callable[..., Any],
    options: Mapping[str, Any],
    hyper: Any,
    slots: Sequence[Slot],
) -> list[Stepped]:
    arguments = dict(options)
    for ours, theirs in row.numbers.items():
        value = getattr(hyper, ours)
        arguments[theirs] = (*arguments.get("betas", ()), value) if theirs == "betas" else value
    params = [to_tensor(torch, slot.param) for slot in slots]
    optimizer = optimizer_class(
        params, lr=float(hyper.lr), weight_decay=float(hyper.weight_decay), **arguments
    )
    group, t = optimizer.param_groups[0], slots[0].state["t"]
    # The library names a tensor of its state by the function that uses it.
    names = {ours: optimizer._find_val_name(theirs) for ours, theirs in row.state.items()}
    for param, slot in zip(params, slots, strict=True):
        param.grad = to_tensor(torch, slot.grad)
        if t:
            loaded = {theirs: to_tensor(torch, slot.state[ours]) for ours, theirs in names.items()}
            optimizer.state_(param).update(loaded)
            optimizer.state_(param)["is_initialized"] = set(optimizer._transform_ids)
    if t:
        group["step_count"] = t
        group.update({theirs: float(slots[0].state[ours]) for ours, theirs in row.shared.items()})
    optimizer.step()
    return [
        Stepped(
            from_tensor(torch, param),
            {
                **_fields(torch, names, optimizer.state_(param), slot),
                **_shared(row, hyper, group, slot),
                "t": int(group["step_count"]),
            },
        )
        for param, slot in zip(params, slots, strict=True)
    ]


def _shared(row: Row, hyper: Any, group: Mapping[str, Any], slot: Slot) -> dict[str, Array]:
    out = {
        ours: np.asarray(float(group[theirs]), slot.state[ours].dtype)
        for ours, theirs in row.shared.items()
    }
    if "lr_max" in slot.state:
        # Not kept by the library, which weighs by the rate of each step.
        largest = max(float(slot.state["lr_max"]), float(hyper.lr))
        out["lr_max"] = np.asarray(largest, slot.state["lr_max"].dtype)
    return out


def _fields(
    torch: Any, names: Mapping[str, str], state: Mapping[str, Any], slot: Slot
) -> dict[str, Array]:
    """The reference's tensors; those that the library does not have stay as they were."""
    kept = {name: x.copy() for name, x in slot.state.items() if isinstance(x, np.ndarray)}
    return kept | {ours: from_tensor(torch, state[theirs]) for ours, theirs in names.items()}
