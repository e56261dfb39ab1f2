"""torch's optimizers whose state or options are not laid out as most: a table and their steps.

adafactor: root mean squares and means are taken by torch.norm, which adds one number after another.
asgd: the rate eta and the weight mu of a step are float32 tensors that the step before has left:
a step on a tensor of one element is made first. muon: iterates in bfloat16 whatever the format. It
has no counter: t + 1 comes from here. lms, perceptron: see torch_examples.py. polyak_ruppert: see
torch_averaging.py. sparse: see torch_sparse.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from truestep.fast.peers import torch_step
from truestep.fast.peers.torch import averaging as torch_averaging
from truestep.fast.peers.torch import examples as torch_examples
from truestep.fast.peers.torch import sparse as torch_sparse
from truestep.fast.peers.torch_arrays import from_tensor, to_tensor
from truestep.fast.protocol import Capability, Group, Slot, Stepped

# What eps1 = None stands for in Adafactor: the unit of the parameter's format. Smaller numbers than
# the root of the least positive one are 0 once squared: see torch_more_findings.py.
UNITS = {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float32": 2.0**-23, "float64": 2.0**-52}


@dataclass(frozen=True, slots=True)
class Row:
    """One of torch's optimizers. arithmetic: profile by format. step: how it makes its step.

    fixed: hyperparameters that cannot be varied, shapes: what it takes, both as in Capability.
    """

    rule: str
    variant: str
    arithmetic: Mapping[str, str]
    step: Callable[[Any, Row, Sequence[Group]], list[list[Stepped]]]
    options: Mapping[str, Any] = field(default_factory=dict)
    dialect: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    shapes: Literal["any", "nonempty", "matrices"] = "any"


def capabilities() -> tuple[Capability, ...]:
    """Every row in every format."""
    return tuple(
        Capability(
            kind="optimizer",
            rule=row.rule,
            format=format,
            arithmetic=arithmetic,
            dialect=row.dialect,
            variant=row.variant,
            fixed={**row.fixed, **({"eps1": UNITS[format]} if row.rule == "adafactor" else {})},
            level="smoke" if format == "float32" else "standard",
            shapes=row.shapes,
        )
        for row in ROWS
        for format, arithmetic in row.arithmetic.items()
    )


def find(rule: str, variant: str) -> Row | None:
    """The row of that implementation, None where it is not in this table."""
    return next((row for row in ROWS if (row.rule, row.variant) == (rule, variant)), None)


def _counted(torch: Any, slot: Slot) -> Any:
    return torch.tensor(float(slot.state["t"]), dtype=torch.float32)


def _adafactor(torch: Any, row: Row, groups: Sequence[Group]) -> list[list[Stepped]]:
    names = {"r": "row_var", "c": "col_var", "v": "variance"}

    def load(hyper: Any, slot: Slot) -> dict[str, Any]:
        if slot.state["t"] == 0:
            return {}
        kept = ("r", "c") if slot.param.ndim > 1 else ("v",)
        tensors = {names[name]: to_tensor(torch, slot.state[name]) for name in kept}
        return {**tensors, "step": _counted(torch, slot)}

    def read(state: Mapping[str, Any], hyper: Any, slot: Slot) -> dict[str, Any]:
        tensors = {
            ours: from_tensor(torch, state[theirs]) if theirs in state else slot.state[ours].copy()
            for ours, theirs in names.items()
        }
        return {**tensors, "m": slot.state["m"].copy(), "t": int(state["step"].item())}

    def numbers(group: Group) -> dict[str, Any]:
        h = group.hyper
        return {
            "lr": float(h.lr),
            "beta2_decay": -float(h.decay_rate),
            "eps": (h.eps1, h.eps2),
            "d": h.clip_threshold,
            "weight_decay": h.weight_decay,
            "maximize": h.maximize,
        }

    steps = torch_step.Steps(
        lambda entries: torch.optim.Adafactor(entries, **row.options), numbers, load, read
    )
    return torch_step.step(torch, groups, steps)


def _asgd(torch: Any, row: Row, groups: Sequence[Group]) -> list[list[Stepped]]:
    def build(entries: list[dict[str, Any]]) -> Any:
        return torch.optim.ASGD(entries, **row.options)

    def numbers(group: Group) -> dict[str, Any]:
        h = group.hyper
        names = ("lr", "lambd", "alpha", "t0", "weight_decay", "maximize")
        return {name: getattr(h, name) for name in names}

    def load(hyper: Any, slot: Slot) -> dict[str, Any]:
        if slot.state["t"] == 0:
            return {}
        scalars = {
            name: torch.tensor(slot.state[name], dtype=torch.float32) for name in ("eta", "mu")
        }
        average = to_tensor(torch, slot.state["average"])
        return {**scalars, "ax": average, "step": _counted(torch, slot)}

    left = torch_step.Steps(
        build,
        numbers,
        load,
        lambda state, hyper, slot: {name: state[name].item() for name in ("eta", "mu")},
    )
    before = torch_step.step(torch, [_one_before(group) for group in groups], left)
    with_scalars = [
        Group(
            group.hyper,
            [
                Slot(slot.param, slot.grad, {**slot.state, **scalars.state})
                for slot, scalars in zip(group.slots, stepped, strict=True)
            ],
        )
        for group, stepped in zip(groups, before, strict=True)
    ]
    steps = torch_step.Steps(
        build,
        numbers,
        load,
        lambda state, hyper, slot: {
            "average": from_tensor(torch, state["ax"]),
            "t": int(state["step"].item()),
        },
    )
    return torch_step.step(torch, with_scalars, steps)


def _one_before(group: Group) -> Group:
    """Tensors of one element of which one step less has been made, or none at all."""
    zero = np.zeros(1, np.float32)
    slots = [
        Slot(zero, zero, {"average": zero, "eta": 0.0, "mu": 1.0, "t": max(slot.state["t"] - 1, 0)})
        for slot in group.slots
    ]
    return Group(group.hyper, slots)


def _muon(torch: Any, row: Row, groups: Sequence[Group]) -> list[list[Stepped]]:
    def numbers(group: Group) -> dict[str, Any]:
        h = group.hyper
        names = ("lr", "weight_decay", "momentum", "nesterov", "eps", "ns_steps")
        coefficients = (h.ns_a, h.ns_b, h.ns_c)
        return {**{name: getattr(h, name) for name in names}, "ns_coefficients": coefficients}

    def load(hyper: Any, slot: Slot) -> dict[str, Any]:
        return {"momentum_buffer": to_tensor(torch, slot.state["b"])} if slot.state["t"] else {}

    def read(state: Mapping[str, Any], hyper: Any, slot: Slot) -> dict[str, Any]:
        return {"b": from_tensor(torch, state["momentum_buffer"]), "t": slot.state["t"] + 1}

    steps = torch_step.Steps(
        lambda entries: torch.optim.Muon(entries, **row.options), numbers, load, read
    )
    return torch_step.step(torch, groups, steps)


def _averaged(torch: Any, row: Row, groups: Sequence[Group]) -> list[list[Stepped]]:
    return torch_averaging.stepped(torch, groups, **row.options)


def _example(torch: Any, row: Row, groups: Sequence[Group]) -> list[list[Stepped]]:
    return torch_examples.stepped(torch, row.options["loss"], groups)


def _sparse(torch: Any, row: Row, groups: Sequence[Group]) -> list[list[Stepped]]:
    return torch_sparse.stepped(torch, groups)


_SUMMED = {"float32": "ieee_float32", "float64": "ieee_float64"}

_ELEMENTS = {
    "bfloat16": "bfloat16",
    "float16": "float16",
    "float32": "ieee_float32",
    "float64": "ieee_float64",
}

_BY_NORM = {
    "bfloat16": "bfloat16",
    "float16": "float16",
    "float32": "sequential_float32",
    "float64": "sequential_float64",
}

ROWS: tuple[Row, ...] = (
    *(
        Row(
            "adafactor",
            path,
            _BY_NORM,
            _adafactor,
            {"foreach": path == "foreach"},
            {"eps_placement": "floor"},
            # It divides by the number of elements as a Python float.
            shapes="nonempty",
        )
        for path in ("foreach", "single")
    ),
    Row(
        "adam",
        "sparse",
        {"float32": "ieee_float32", "float64": "ieee_float64"},
        _sparse,
        dialect={"decay": "before", "eps_placement": "before_correction"},
        fixed={"weight_decay": 0.0},
    ),
    Row(
        "asgd",
        "foreach",
        {**_ELEMENTS, "float32": "capturable_float32"},
        _asgd,
        {"foreach": True},
        {"before_averaging": "moved"},
    ),
    Row(
        "asgd",
        "single",
        _ELEMENTS,
        _asgd,
        {"foreach": False},
    ),
    Row(
        "lms",
        "mse_loss",
        _SUMMED,
        _example,
        {"loss": torch_examples.squared_error},
        {"loss": "square"},
    ),
    *(
        Row(
            "muon",
            variant,
            {"float32": "bfloat16_newton_schulz"},
            _muon,
            {"adjust_lr_fn": variant},
            {"momentum_form": "ema", "norm_guard": "floor", "scale": scale},
            # The 0.2 of match_rms_adamw is no argument.
            {"maximize": False, "rms": 0.2},
            shapes="matrices",
        )
        for variant, scale in (("match_rms_adamw", "rms"), ("original", "tall"))
    ),
    Row(
        "perceptron",
        "margin_ranking_loss",
        _SUMMED,
        _example,
        {"loss": torch_examples.perceptron_loss},
        {"form": "factor"},
    ),
    *(
        Row(
            "polyak_ruppert",
            variant,
            _ELEMENTS,
            _averaged,
            {"function": function},
            {"average": average},
        )
        for variant, function, average in (
            ("ema_multi", "get_ema_multi_avg_fn", "exponential"),
            ("ema_single", "get_ema_avg_fn", "weighted"),
            ("swa_multi", "get_swa_multi_avg_fn", "uniform"),
            ("swa_single", "get_swa_avg_fn", "uniform"),
        )
    ),
)
