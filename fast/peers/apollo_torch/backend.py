"""apollo-torch's APOLLOAdamW on the CPU, scaling by channel (APOLLO) or by tensor (APOLLO-Mini).

Every torch operation rounds to the parameter's format, and norms add one number after another;
functions of the counter are Python doubles.
Its projections are drawn from torch's generator: it is handed the state's, before the first step in
the place of its own, and no refresh is due afterwards. Only matrices are in a group with a rank.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from truestep.fast.peers import torch_step
from truestep.fast.peers.low_rank import is_projected, numbers
from truestep.fast.peers.torch_arrays import from_tensor, import_torch, to_tensor
from truestep.fast.protocol import (
    Array,
    BackendUnavailable,
    Capability,
    Group,
    Slot,
    Stepped,
)

ARITHMETIC = {"float32": "sequential_float32", "float64": "sequential_float64"}
# A number of steps between refreshes that no counter of 32 bits reaches.
NEVER = 2**40
SCALE_TYPE = {"apollo": "channel", "apollo_mini": "tensor"}


@dataclass(frozen=True, slots=True)
class Row:
    """Options of the constructor as an implementation of either rule."""

    variant: str
    dialect: Mapping[str, str]
    options: Mapping[str, bool] = field(default_factory=dict)


ROWS: tuple[Row, ...] = (
    Row("default", {"scale_placement": "after"}),
    Row("disable_nl", {"limiter": "none", "scale_placement": "after"}, {"disable_nl": True}),
    Row("scale_front", {"scale_placement": "before"}, {"scale_front": True}),
)


class Backend:
    """apollo_torch.APOLLOAdamW, rebuilt from the given state for every step."""

    name = "apollo_torch"

    def __init__(self) -> None:
        self._torch = import_torch()
        try:
            self._adamw = importlib.import_module("apollo_torch.apollo").AdamW
            self._projector = importlib.import_module("apollo_torch.random_projector")
        except Exception as error:
            raise BackendUnavailable(f"apollo-torch cannot be imported: {error}") from error
        self._rows = {row.variant: row for row in ROWS}

    def capabilities(self) -> tuple[Capability, ...]:
        """Both rules, with the options that change them, and in float64."""
        return tuple(
            Capability(
                kind="optimizer",
                rule=rule,
                format=format,
                arithmetic=arithmetic,
                dialect={"correction": "last", "guard": "eps", **row.dialect},
                variant=row.variant,
                fixed={
                    "maximize": False,
                    "rank": 4 if rule == "apollo" else 1,
                    "update_gap": NEVER,
                },
                level="smoke" if format == "float32" else "standard",
            )
            for rule in SCALE_TYPE
            for row in ROWS
            for format, arithmetic in ARITHMETIC.items()
            if format == "float32" or row.variant == "default"
        )

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One step() of a fresh optimizer; matrices are in groups of their own."""
        row = self._rows[capability.variant]
        scale_type = SCALE_TYPE[capability.rule]
        parts, places = torch_step.parted(groups, lambda _, slot: is_projected(slot))
        steps = torch_step.Steps(
            build=lambda entries: self._adamw(entries, **row.options),
            numbers=lambda group: _numbers(scale_type, group),
            load=self._loaded,
            read=lambda state, hyper, slot: self._read(state, slot),
        )
        return torch_step.rejoined(torch_step.step(self._torch, parts, steps), places)

    def drawn(self, rank: int, shape: tuple[int, int], seed: int) -> Array:
        """The projection that apollo-torch draws for a matrix of that shape, in our orientation."""
        projector = self._projector.GradientProjector(rank, seed=seed)
        projector.project(self._torch.zeros(shape), 0)
        return self._turned(projector.ortho_matrix)

    def _turned(self, matrix: Any) -> Array:
        # Theirs is multiplied by transposed, on either side.
        return np.ascontiguousarray(from_tensor(self._torch, matrix).T)

    def _loaded(self, h: Any, slot: Slot) -> dict[str, Any]:
        torch, state = self._torch, slot.state
        loaded: dict[str, Any] = {}
        if state["t"]:
            loaded["step"] = state["t"]
            loaded["exp_avg"] = to_tensor(torch, state["m"])
            loaded["exp_avg_sq"] = to_tensor(torch, state["v"])
        if is_projected(slot):
            matrix = to_tensor(torch, state["projection"]).t()
            projector = self._projector.GradientProjector(
                h.rank, update_proj_gap=h.update_gap, scale=h.scale
            )
            projector.ortho_matrix = matrix
            projector.get_orthogonal_matrix = lambda *_, **__: matrix
            loaded["projector"] = projector
            if state["t"]:
                loaded["scaled_grad"] = to_tensor(torch, state["norm"])
        return loaded

    def _read(self, state: Mapping[str, Any], slot: Slot) -> dict[str, Any]:
        torch, old = self._torch, slot.state
        out = {
            "t": state["step"],
            "projection": old["projection"].copy(),
            "m": from_tensor(torch, state["exp_avg"]),
            "v": from_tensor(torch, state["exp_avg_sq"]),
            "norm": old["norm"].copy(),
        }
        if is_projected(slot):
            out["projection"] = self._turned(state["projector"].ortho_matrix)
            # With disable_nl nothing keeps the norm.
            if "scaled_grad" in state:
                out["norm"] = from_tensor(torch, state["scaled_grad"])
        return out


def _numbers(scale_type: str, group: Group) -> dict[str, Any]:
    low_rank = {
        "rank": group.hyper.rank,
        "proj": "random",
        "scale_type": scale_type,
        "scale": group.hyper.scale,
        "update_proj_gap": group.hyper.update_gap,
        "proj_type": "std",
    }
    return numbers(group, low_rank)
