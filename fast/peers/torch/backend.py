"""PyTorch's own optimizers on the CPU: single-tensor, foreach, fused, differentiable, compiled.

torch_rows.py and torch_more.py say which and how they round.

The counter is a float32 tensor, as torch stores it. SGD has no counter, and no buffer before its
first step: a slot with t = 0 is handed over without one, and t + 1 comes from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from truestep.fast.peers.torch import casts as torch_casts
from truestep.fast.peers.torch import lbfgs as torch_lbfgs
from truestep.fast.peers.torch import more as torch_more
from truestep.fast.peers.torch import schedules as torch_schedules
from truestep.fast.peers.torch import training as torch_training
from truestep.fast.peers.torch.compiled import FIXED, CompiledOptimizer, has_compiler
from truestep.fast.peers.torch.rows import ARITHMETIC, PATHS, ROWS, Row
from truestep.fast.peers.torch_arrays import from_tensor, import_torch, to_tensor
from truestep.fast.peers.torch_step import Places, Steps, parted, rejoined, step
from truestep.fast.protocol import Array, Capability, Group, Slot, Stepped


class Backend:
    """torch.optim, rebuilt from the given state for every step."""

    name = "torch"

    def __init__(self) -> None:
        self._torch = import_torch()
        self._rows = {(row.rule, row.prefix): row for row in ROWS}
        self._plans: dict[tuple[str, str], tuple[Row, dict[str, Any], Callable[..., Any]]] = {
            (row.rule, row.prefix + path): (
                row,
                {**row.options, **options},
                getattr(self._torch.optim, row.optimizer),
            )
            for row in ROWS
            for path, options in PATHS.items()
            if path in row.paths
        }
        self._compiled: dict[str, tuple[Row, CompiledOptimizer]] = {}

    def capabilities(self) -> tuple[Capability, ...]:
        """Every optimizer, path and format that torch runs here; its casts; its schedules."""
        optimizers = tuple(
            _capability(row, format, path, arithmetic)
            for row in ROWS
            for format, paths in ARITHMETIC.items()
            for path, arithmetic in paths.items()
            if path in row.paths and (path != "compiled" or has_compiler())
        )
        casts = torch_casts.torch_capabilities(self._torch)
        minimizers = torch_lbfgs.capabilities()
        others = (*torch_schedules.capabilities(), *torch_training.capabilities(self._torch))
        return (*optimizers, *torch_more.capabilities(), *minimizers, *casts, *others)

    def minimizer_step(
        self,
        capability: Capability,
        hyper: Any,
        param: Array,
        state: Mapping[str, Any],
        function: Callable[[Array], tuple[Any, Array]],
    ) -> Stepped:
        """One iteration of L-BFGS."""
        return torch_lbfgs.step(self._torch, capability, hyper, param, state, function)

    def encode(self, capability: Capability, hyper: Any, x: Array) -> Mapping[str, Array]:
        """The bits of x after a cast."""
        return torch_casts.torch_encode(self._torch, capability, x)

    def decode(self, capability: Capability, hyper: Any, stored: Mapping[str, Array]) -> Array:
        """The float32 values of the bits."""
        return torch_casts.torch_decode(self._torch, capability, stored)

    def schedule_values(
        self, capability: Capability, hyper: Any, steps: Sequence[int]
    ) -> list[float]:
        """What a scheduler of torch.optim.lr_scheduler sets its optimizer's rate to."""
        return torch_schedules.values(self._torch, capability, hyper, steps)

    def training_piece(
        self, capability: Capability, hyper: Any, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """What clipping, GradScaler or the sum of backward passes makes of the inputs."""
        return torch_training.outputs(self._torch, capability, hyper, inputs)

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One step() of a fresh optimizer with one param_group per group and the state loaded."""
        if capability.variant == "compiled":
            return self._compiled_step(capability.rule, groups)
        if more := torch_more.find(capability.rule, capability.variant):
            return more.step(self._torch, more, groups)
        row, options, optimizer_class = self._plans[capability.rule, capability.variant]
        torch, on_tensor = self._torch, capability.variant.endswith("tensor_lr")
        places = None
        if capability.variant.endswith("fused"):
            groups, places = _digestible(row, groups)
        steps = Steps(
            build=lambda entries: optimizer_class(entries, **options),
            numbers=lambda group: _numbers(torch, row, group.hyper, on_tensor=on_tensor),
            load=lambda hyper, slot: _loaded(torch, row, hyper, slot),
            read=lambda state, _, slot: _state(torch, row, state, slot),
        )
        stepped = step(torch, groups, steps)
        return stepped if places is None else rejoined(stepped, places)

    def _compiled_step(self, rule: str, groups: Sequence[Group]) -> list[list[Stepped]]:
        if rule not in self._compiled:
            row = self._rows[rule, ""]
            self._compiled[rule] = row, CompiledOptimizer(self._torch, row.optimizer, row.options)
        row, optimizer = self._compiled[rule]
        return [
            [
                _flat_step(self._torch, row, optimizer, _hyper(row, group.hyper), group.hyper, slot)
                for slot in group.slots
            ]
            for group in groups
        ]


def _digestible(row: Row, groups: Sequence[Group]) -> tuple[list[Group], Places]:
    """The same step in the form that fused kernels take, and where each slot has gone.

    Contiguous copies, and first steps of SGD in groups of their own.
    """
    parts, places = parted(groups, lambda _, slot: row.optimizer == "SGD" and slot.state["t"] == 0)
    return [Group(part.hyper, [_dense(slot) for slot in part.slots]) for part in parts], places


def _dense(slot: Slot) -> Slot:
    state = {name: x if name == "t" else x.copy() for name, x in slot.state.items()}
    return Slot(slot.param.copy(), slot.grad.copy(), state)


def _flat_step(
    torch: Any,
    row: Row,
    optimizer: CompiledOptimizer,
    options: Mapping[str, Any],
    hyper: Any,
    slot: Slot,
) -> Stepped:
    shape = slot.param.shape
    # Copies, of which a view, and not the caller's array, is what torch updates.
    tensors = {name: array.flatten() for name, array in slot.state.items() if name != "t"}
    flat = Slot(slot.param.flatten(), slot.grad.flatten(), {**tensors, "t": slot.state["t"]})
    param = to_tensor(torch, flat.param)
    state = _loaded(torch, row, hyper, flat)
    optimizer.step(param, to_tensor(torch, flat.grad), state, options)
    stepped = _state(torch, row, state, flat)
    return Stepped(
        from_tensor(torch, param).reshape(shape),
        {name: value if name == "t" else value.reshape(shape) for name, value in stepped.items()},
    )


def _capability(row: Row, format: str, path: str, arithmetic: str) -> Capability:
    compiled = path == "compiled"
    # The paths that most users are on; the others join later and with fewer examples.
    leading = format == "float32" and path in ("single", "foreach", "fused")
    return Capability(
        kind="optimizer",
        rule=row.rule,
        format=format,
        arithmetic="ieee_float32" if compiled and row.optimizer == "SGD" else arithmetic,
        dialect=row.dialect,
        variant=row.prefix + path,
        fixed=FIXED[row.rule] if compiled else row.fixed,
        level="deep" if compiled else "smoke" if leading else "standard",
    )


def _hyper(row: Row, hyper: Any) -> dict[str, Any]:
    numbers = {name: getattr(hyper, name) for name in row.numbers}
    if hasattr(hyper, "beta1"):
        numbers["betas"] = (float(hyper.beta1), float(hyper.beta2))
    if hasattr(hyper, "eps"):
        numbers["eps"] = float(hyper.eps)
    return {
        "lr": float(hyper.lr),
        "weight_decay": float(hyper.weight_decay),
        "maximize": hyper.maximize,
        **numbers,
    }


def _numbers(torch: Any, row: Row, hyper: Any, *, on_tensor: bool) -> dict[str, Any]:
    numbers = _hyper(row, hyper)
    if on_tensor:
        numbers["lr"] = torch.tensor(numbers["lr"], dtype=torch.float32)
    return numbers


def _loaded(torch: Any, row: Row, hyper: Any, slot: Slot) -> dict[str, Any]:
    if row.optimizer == "SGD" and (slot.state["t"] == 0 or hyper.momentum == 0):
        return {}
    state = {
        theirs: torch.tensor(float(slot.state[ours]), dtype=torch.float32)
        if ours in row.scalars
        else to_tensor(torch, slot.state[ours])
        for ours, theirs in row.state.items()
    }
    if row.optimizer != "SGD":
        state["step"] = torch.tensor(float(slot.state["t"]), dtype=torch.float32)
    return state


def _state(torch: Any, row: Row, loaded: Mapping[str, Any], slot: Slot) -> dict[str, Any]:
    state: dict[str, Any] = {
        # Without momentum torch keeps no buffer, and the reference leaves its own as it was.
        ours: from_tensor(torch, loaded[theirs]) if theirs in loaded else slot.state[ours].copy()
        for ours, theirs in row.state.items()
    }
    for ours in row.scalars:
        state[ours] = state[ours].astype(slot.state[ours].dtype)
    state["t"] = int(loaded["step"].item()) if "step" in loaded else slot.state["t"] + 1
    return state
