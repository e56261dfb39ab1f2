"""transformers' Adafactor on the CPU, in each of its ways to choose the step size.

It computes float16 and bfloat16 parameters in float32, where its state stays too, and rounds the
new parameter once. Root mean squares add one number after another. Functions of the counter and
hyperparameters are Python doubles.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from truestep.fast.peers import torch_step
from truestep.fast.peers.torch_arrays import from_tensor, import_torch, to_tensor
from truestep.fast.protocol import BackendUnavailable, Capability, Group, Slot, Stepped

ARITHMETIC = {
    "bfloat16": "bfloat16_params",
    "float16": "float16_params",
    "float32": "sequential_float32",
    "float64": "sequential_float64",
}


@dataclass(frozen=True, slots=True)
class Row:
    """Adafactor with these options; fixed: the largest relative step, which is no argument."""

    variant: str
    dialect: Mapping[str, str]
    options: Mapping[str, Any]
    fixed: Mapping[str, Any] = field(default_factory=dict)


ROWS: tuple[Row, ...] = (
    Row(
        "constant",
        {"decay": "step", "parameter_scale": "none", "step_size": "constant"},
        {"relative_step": False, "scale_parameter": False},
    ),
    Row(
        "constant_momentum",
        {
            "decay": "step",
            "momentum": "of_step",
            "parameter_scale": "none",
            "step_size": "constant",
        },
        {"relative_step": False, "scale_parameter": False},
    ),
    Row(
        "relative",
        {"decay": "step"},
        {"relative_step": True},
        {"lr": 1e-2},
    ),
    Row(
        "scaled_momentum",
        {"decay": "step", "momentum": "of_step", "step_size": "constant"},
        {"relative_step": False},
    ),
    Row(
        "warmup",
        {"decay": "step", "step_size": "warmup"},
        {"relative_step": True, "warmup_init": True},
        {"lr": 1e-2},
    ),
)


class Backend:
    """transformers.optimization.Adafactor, rebuilt from the given state for every step."""

    name = "transformers"

    def __init__(self) -> None:
        self._torch = import_torch()
        try:
            self._adafactor = importlib.import_module("transformers.optimization").Adafactor
        except Exception as error:
            raise BackendUnavailable(f"transformers cannot be imported: {error}") from error
        self._rows = {row.variant: row for row in ROWS}

    def capabilities(self) -> tuple[Capability, ...]:
        """Every way to choose the step size in every format."""
        return tuple(
            Capability(
                kind="optimizer",
                rule="adafactor",
                format=format,
                arithmetic=arithmetic,
                dialect=row.dialect,
                variant=row.variant,
                fixed={"maximize": False, **row.fixed},
                level="smoke" if format == "float32" else "standard",
            )
            for row in ROWS
            for format, arithmetic in ARITHMETIC.items()
        )

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One step() of a fresh optimizer with one param_group per group."""
        row = self._rows[capability.variant]
        steps = torch_step.Steps(
            build=self._adafactor,
            numbers=lambda group: _numbers(row, group.hyper),
            load=lambda hyper, slot: self._loaded(slot),
            read=lambda state, hyper, slot: self._read(state, slot),
        )
        return torch_step.step(self._torch, groups, steps)

    def _loaded(self, slot: Slot) -> dict[str, Any]:
        if slot.state["t"] == 0:
            return {}
        torch, state = self._torch, slot.state
        loaded = {"step": state["t"], "RMS": 0}
        if slot.param.ndim > 1:
            loaded["exp_avg_sq_row"] = to_tensor(torch, state["r"].squeeze(-1))
            loaded["exp_avg_sq_col"] = to_tensor(torch, state["c"].squeeze(-2))
        else:
            loaded["exp_avg_sq"] = to_tensor(torch, state["v"])
        if state["m"].shape == slot.param.shape:
            loaded["exp_avg"] = to_tensor(torch, state["m"])
        return loaded

    def _read(self, state: Mapping[str, Any], slot: Slot) -> dict[str, Any]:
        names = {"r": "exp_avg_sq_row", "c": "exp_avg_sq_col", "v": "exp_avg_sq", "m": "exp_avg"}
        tensors = {
            ours: from_tensor(self._torch, state[theirs]).reshape(slot.state[ours].shape)
            if theirs in state
            else slot.state[ours].copy()
            for ours, theirs in names.items()
        }
        return {"t": state["step"], **tensors}


def _numbers(row: Row, h: Any) -> dict[str, Any]:
    return {
        **row.options,
        "lr": None if row.options["relative_step"] else h.lr,
        "eps": (h.eps1, h.eps2),
        "clip_threshold": h.clip_threshold,
        "decay_rate": -h.decay_rate,
        "beta1": h.beta1 if h.momentum != "none" else None,
        "weight_decay": h.weight_decay,
    }
