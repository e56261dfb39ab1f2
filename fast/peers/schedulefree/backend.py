"""schedulefree on the CPU: SGD, AdamW, the paper's AdamW and RAdam, single-tensor and foreach.

Every torch operation rounds to the parameter's format; the weights of the average, their sum and
the largest rate are Python doubles of a whole param_group, as the counter is. Tensors that differ
in them are stepped in groups of their own. Parameters stand at y, where a training step finds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from truestep.fast.peers import torch_step
from truestep.fast.peers.torch_arrays import from_tensor, import_torch, to_tensor
from truestep.fast.protocol import BackendUnavailable, Capability, Group, Slot, Stepped

ARITHMETIC = {"bfloat16": "bfloat16", "float32": "ieee_float32", "float64": "ieee_float64"}
PATHS = ("foreach", "single")


@dataclass(frozen=True, slots=True)
class Row:
    """One of schedulefree's optimizers, with these options, as an implementation of a rule."""

    rule: str
    optimizer: str
    state: Mapping[str, str]
    variant: str = ""
    dialect: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


MOMENT = {"z": "z", "v": "exp_avg_sq"}

ROWS: tuple[Row, ...] = (
    Row(
        "schedule_free_adamw",
        "AdamWScheduleFree",
        MOMENT,
        dialect={"bias_correction": "moment"},
    ),
    Row("schedule_free_adamw", "AdamWScheduleFreePaper", MOMENT, variant="paper_"),
    *(
        Row(
            "schedule_free_adamw",
            "RAdamScheduleFree",
            MOMENT,
            variant=variant,
            dialect={"bias_correction": "moment", "rectification": rectification},
            # It has none.
            fixed={"warmup_steps": 0},
            options={"silent_sgd_phase": rectification == "silent"},
        )
        for variant, rectification in (("radam_", "silent"), ("radam_plain_", "plain"))
    ),
    Row("schedule_free_sgd", "SGDScheduleFree", {"z": "z"}),
)


class Backend:
    """schedulefree's optimizers in train mode, rebuilt from the given state for every step."""

    name = "schedulefree"

    def __init__(self) -> None:
        self._torch = import_torch()
        try:
            import schedulefree
        except ImportError as error:
            raise BackendUnavailable(f"schedulefree cannot be imported: {error}") from error
        self._plans = {
            (row.rule, row.variant + path): (row, getattr(schedulefree, row.optimizer), path)
            for row in ROWS
            for path in PATHS
        }

    def capabilities(self) -> tuple[Capability, ...]:
        """Every optimizer, path and format."""
        return tuple(
            Capability(
                kind="optimizer",
                rule=row.rule,
                format=format,
                arithmetic=arithmetic,
                dialect=row.dialect,
                variant=row.variant + path,
                fixed={"maximize": False, **row.fixed},
                level="smoke" if format == "float32" else "standard",
            )
            for row in ROWS
            for format, arithmetic in ARITHMETIC.items()
            for path in PATHS
        )

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One step() of a fresh optimizer with one param_group per group and count."""
        row, optimizer, path = self._plans[capability.rule, capability.variant]
        parts, places = torch_step.parted(groups, lambda hyper, slot: _shared(slot))
        steps = torch_step.Steps(
            build=lambda entries: optimizer(entries, foreach=path == "foreach", **row.options),
            numbers=_numbers,
            load=lambda hyper, slot: self._loaded(row, slot),
            read=lambda state, hyper, slot: self._read(row, state, slot),
            group_state=("k", "lr_max", "weight_sum"),
        )
        return torch_step.rejoined(torch_step.step(self._torch, parts, steps), places)

    def _loaded(self, row: Row, slot: Slot) -> dict[str, Any]:
        if slot.state["t"] == 0:
            return {}
        return {
            theirs: to_tensor(self._torch, slot.state[ours]) for ours, theirs in row.state.items()
        }

    def _read(self, row: Row, state: Mapping[str, Any], slot: Slot) -> dict[str, Any]:
        sums = {
            name: np.asarray(state[name]).astype(slot.state[name].dtype)
            for name in ("lr_max", "weight_sum")
        }
        tensors = {
            ours: from_tensor(self._torch, state[theirs]) for ours, theirs in row.state.items()
        }
        return {"t": state["k"], **tensors, **sums}


def _shared(slot: Slot) -> tuple[int, float, float]:
    state = slot.state
    return state["t"], float(state["weight_sum"]), float(state["lr_max"])


def _numbers(group: Group) -> dict[str, Any]:
    h = group.hyper
    t, weight_sum, lr_max = _shared(group.slots[0])
    momentum = (
        {"betas": (h.beta1, h.beta2), "eps": h.eps} if hasattr(h, "eps") else {"momentum": h.beta}
    )
    return {
        "lr": h.lr,
        "weight_decay": h.weight_decay,
        "warmup_steps": h.warmup_steps,
        "r": h.r,
        "weight_lr_power": h.weight_lr_power,
        "k": t,
        "weight_sum": weight_sum,
        "lr_max": lr_max if t else -1.0,
        "train_mode": True,
        **momentum,
    }
