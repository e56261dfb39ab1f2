"""lion-pytorch on the CPU: its single-tensor and its foreach form, with either decay.

Every torch operation rounds to the parameter's format; hyperparameters are Python doubles. It has
no counter: t + 1 comes from here. decoupled_weight_decay divides the decay by the rate that the
optimizer was built with, so each group is an optimizer of its own.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from truestep.fast.peers import torch_step
from truestep.fast.peers.torch_arrays import from_tensor, import_torch, to_tensor
from truestep.fast.protocol import BackendUnavailable, Capability, Group, Slot, Stepped

ARITHMETIC = {
    "bfloat16": "bfloat16",
    "float16": "float16",
    "float32": "ieee_float32",
    "float64": "ieee_float64",
}
MODULES = {"foreach": "lion_pytorch.foreach", "single": "lion_pytorch.lion_pytorch"}


class Backend:
    """lion_pytorch.Lion, rebuilt from the given state for every step."""

    name = "lion_pytorch"

    def __init__(self) -> None:
        self._torch = import_torch()
        try:
            self._classes = {
                path: importlib.import_module(module).Lion for path, module in MODULES.items()
            }
        except Exception as error:
            raise BackendUnavailable(f"lion-pytorch cannot be imported: {error}") from error

    def capabilities(self) -> tuple[Capability, ...]:
        """Lion in both forms and every format, and with the decay that lr leaves alone."""
        decayed = tuple(
            Capability(
                kind="optimizer",
                rule="lion",
                format=format,
                arithmetic=arithmetic,
                dialect={"nan_sign": "zero"},
                variant=path,
                fixed={"maximize": False},
                level="smoke" if format == "float32" else "standard",
            )
            for format, arithmetic in ARITHMETIC.items()
            for path in MODULES
        )
        unscaled = tuple(
            Capability(
                kind="optimizer",
                rule="lion",
                dialect={"decay": "unscaled", "nan_sign": "zero"},
                variant=f"unscaled_{path}",
                # The rate it is built with has to be positive, and is the one that is divided by.
                fixed={"lr": 3e-3, "maximize": False},
            )
            for path in MODULES
        )
        return (*decayed, *unscaled)

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One step() of a fresh optimizer per group."""
        path = capability.variant.removeprefix("unscaled_")
        decoupled = path != capability.variant
        return [self._group_step(path, decoupled, group) for group in groups]

    def _group_step(self, path: str, decoupled: bool, group: Group) -> list[Stepped]:
        torch = self._torch

        def build(entries: list[dict[str, Any]]) -> Any:
            options = {"decoupled_weight_decay": True, "lr": group.hyper.lr} if decoupled else {}
            return self._classes[path](entries, **options)

        def load(hyper: Any, slot: Slot) -> dict[str, Any]:
            return {"exp_avg": to_tensor(torch, slot.state["m"])} if slot.state["t"] else {}

        steps = torch_step.Steps(
            build=build,
            numbers=lambda group: {
                "lr": group.hyper.lr,
                "betas": (group.hyper.beta1, group.hyper.beta2),
                "weight_decay": group.hyper.weight_decay,
            },
            load=load,
            read=lambda state, hyper, slot: {
                "t": slot.state["t"] + 1,
                "m": from_tensor(torch, state["exp_avg"]),
            },
        )
        return torch_step.step(torch, [group], steps)[0]
