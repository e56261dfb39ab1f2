"""galore-torch's GaLoreAdamW on the CPU, with every kind of projector.

Every torch operation rounds to the parameter's format; functions of the counter are Python doubles.
Between refreshes it is handed the projector, at a refresh it takes its own from torch's SVD, in
float32 whatever the format. Only matrices are in a group with a rank, as its users arrange it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from truestep.fast.peers import torch_step
from truestep.fast.peers.low_rank import is_projected, numbers
from truestep.fast.peers.torch_arrays import from_tensor, import_torch, to_tensor
from truestep.fast.protocol import BackendUnavailable, Capability, Group, Slot, Stepped

DIALECT = {"decay": "after", "eps_placement": "before_correction"}


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of projector. side: the reference's name of it."""

    variant: str
    kind: str
    side: str
    fixed: Mapping[str, Any] = field(default_factory=lambda: {"rank": 2})


ROWS: tuple[Row, ...] = (
    Row("full", "full", "both"),
    Row("left", "left", "left"),
    Row("reverse_std", "reverse_std", "larger"),
    Row("right", "right", "right"),
    Row("std", "std", "smaller"),
    Row("std_full_rank", "std", "smaller", {"rank": 128}),
    Row("std_often", "std", "smaller", {"rank": 2, "update_gap": 3}),
)


class Backend:
    """galore_torch.GaLoreAdamW, rebuilt from the given state for every step."""

    name = "galore_torch"

    def __init__(self) -> None:
        self._torch = import_torch()
        try:
            self._adamw = importlib.import_module("galore_torch.adamw").AdamW
            self._projector = importlib.import_module("galore_torch.galore_projector")
        except Exception as error:
            raise BackendUnavailable(f"galore-torch cannot be imported: {error}") from error
        self._rows = {row.variant: row for row in ROWS}

    def capabilities(self) -> tuple[Capability, ...]:
        """Every kind of projector, and the usual one in float64."""
        formats = {"float32": "ieee_float32", "float64": "ieee_float64"}
        return tuple(
            Capability(
                kind="optimizer",
                rule="galore",
                format=format,
                arithmetic=arithmetic,
                dialect={**DIALECT, "side": row.side},
                variant=row.variant,
                fixed={"maximize": False, **row.fixed},
                level="smoke" if format == "float32" else "standard",
            )
            for row in ROWS
            for format, arithmetic in formats.items()
            if format == "float32" or row.variant == "std"
        )

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One step() of a fresh optimizer; matrices are in groups of their own."""
        row = self._rows[capability.variant]
        parts, places = torch_step.parted(groups, lambda _, slot: is_projected(slot))
        steps = torch_step.Steps(
            build=lambda entries: self._adamw(entries, no_deprecation_warning=True),
            numbers=lambda group: _numbers(row, group),
            load=lambda hyper, slot: self._loaded(row, hyper, slot),
            read=lambda state, hyper, slot: self._read(state, slot),
        )
        return torch_step.rejoined(torch_step.step(self._torch, parts, steps), places)

    def _loaded(self, row: Row, h: Any, slot: Slot) -> dict[str, Any]:
        torch, state = self._torch, slot.state
        if state["t"] == 0:
            return {}
        loaded = {
            "step": state["t"],
            "exp_avg": to_tensor(torch, state["m"]),
            "exp_avg_sq": to_tensor(torch, state["v"]),
        }
        if is_projected(slot):
            projector = self._projector.GaLoreProjector(
                h.rank, update_proj_gap=h.update_gap, scale=h.scale, proj_type=row.kind
            )
            sides = [to_tensor(torch, state[side]) for side in ("left", "right")]
            used = [side for side in sides if side.numel()]
            projector.ortho_matrix = used if row.kind == "full" else used[0]
            loaded["projector"] = projector
        return loaded

    def _read(self, state: Mapping[str, Any], slot: Slot) -> dict[str, Any]:
        torch, old = self._torch, slot.state
        out = {
            "t": state["step"],
            "left": old["left"].copy(),
            "right": old["right"].copy(),
            "m": from_tensor(torch, state["exp_avg"]),
            "v": from_tensor(torch, state["exp_avg_sq"]),
        }
        if is_projected(slot):
            matrices = state["projector"].ortho_matrix
            matrices = list(matrices) if isinstance(matrices, list) else [matrices]
            for side in ("left", "right"):
                if old[side].size:
                    out[side] = from_tensor(torch, matrices.pop(0))
        return out


def _numbers(row: Row, group: Group) -> dict[str, Any]:
    low_rank = {
        "rank": group.hyper.rank,
        "update_proj_gap": group.hyper.update_gap,
        "scale": group.hyper.scale,
        "proj_type": row.kind,
    }
    return numbers(group, low_rank)
