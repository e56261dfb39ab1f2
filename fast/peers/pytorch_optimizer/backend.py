"""pytorch-optimizer on the CPU, one tensor after the other ("single") and in lists ("foreach").

pytorch_optimizer_rows.py says which optimizer computes which rule; pytorch_optimizer_states.py
carries over what the library keeps in another form.

The step counter belongs to the parameter group: only slots of one count step together. Those that
step inside backward() ("fused") are handed a loss whose gradient is the given one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from truestep.fast.peers.pytorch_optimizer import training as pytorch_optimizer_training
from truestep.fast.peers.pytorch_optimizer.row import Row
from truestep.fast.peers.pytorch_optimizer.rows import ROWS
from truestep.fast.peers.pytorch_optimizer.states import BRIDGES, number
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

PATHS: dict[str, dict[str, bool]] = {
    "foreach": {"foreach": True},
    "fused": {},
    "single": {"foreach": False},
}


# Arguments that count from 1, where our 0 means the same.
COUNTS = ("start_preconditioning_step",)
# Arguments that hold several hyperparameters.
TUPLES = ("betas", "ns_coeffs")


class Backend:
    """pytorch_optimizer, rebuilt from the given state for every step."""

    name = "pytorch_optimizer"

    def __init__(self) -> None:
        self._torch = import_torch()
        try:
            import pytorch_optimizer
        except ImportError as error:
            raise BackendUnavailable(f"pytorch_optimizer cannot be imported: {error}") from error
        self._library = pytorch_optimizer
        self._plans: dict[tuple[str, str], tuple[Row, Callable[..., Any], dict[str, Any]]] = {
            (row.rule, row.prefix + path): (
                row,
                getattr(pytorch_optimizer, row.optimizer),
                {**row.options, **PATHS[path]},
            )
            for row in ROWS
            for path in row.paths
        }

    def capabilities(self) -> tuple[Capability, ...]:
        """Every optimizer of the table on each of its paths, and the pieces, in float32."""
        optimizers = tuple(
            Capability(
                kind="optimizer",
                rule=row.rule,
                arithmetic=row.arithmetic,
                dialect=row.dialect,
                variant=row.prefix + path,
                fixed=row.fixed,
                shapes=row.shapes,
                single=row.single,
            )
            for row in ROWS
            for path in row.paths
        )
        return (*optimizers, *pytorch_optimizer_training.capabilities())

    def training_piece(
        self, capability: Capability, hyper: Any, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """What agc, or an optimizer under the loss scaler, makes of the inputs."""
        return pytorch_optimizer_training.outputs(
            self._torch, self._library, capability, hyper, inputs
        )

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One step() of a fresh optimizer for each group and count, with the state loaded."""
        row, optimizer_class, options = self._plans[capability.rule, capability.variant]
        torch = self._torch
        if row.fused:
            return [
                [
                    _fused(torch, row, optimizer_class, options, group.hyper, slot)
                    for slot in group.slots
                ]
                for group in groups
            ]
        parts, places = parted_by_state(groups, ("t", *row.scalars))
        results = [
            _stepped(torch, row, optimizer_class, options, part.hyper, part.slots) for part in parts
        ]
        return rejoined(results, places)


def _arguments(torch: Any, row: Row, options: Mapping[str, Any], hyper: Any) -> dict[str, Any]:
    """The constructor's arguments of these hyperparameters."""
    out = {"lr": float(hyper.lr), "maximize": hyper.maximize, **options}
    for ours, theirs in row.numbers.items():
        value = getattr(hyper, ours)
        if theirs in COUNTS:
            out[theirs] = max(1, value)
        elif theirs.startswith("-"):
            out[theirs.removeprefix("-")] = -value
        elif theirs in TUPLES:
            out[theirs] = (*out.get(theirs, ()), float(value))
        else:
            out[theirs] = value
    if "momentum_dtype" in out:
        out["momentum_dtype"] = getattr(torch, out["momentum_dtype"])
    return out


def _model(torch: Any, row: Row, params: Sequence[Any]) -> Any:
    model = torch.nn.Module()
    for j, param in enumerate(params):
        model.register_parameter(f"{row.module}{j}", param)
    return model


def _stepped(
    torch: Any,
    row: Row,
    optimizer_class: Callable[..., Any],
    options: Mapping[str, Any],
    hyper: Any,
    slots: Sequence[Slot],
) -> list[Stepped]:
    params = [torch.nn.Parameter(to_tensor(torch, slot.param)) for slot in slots]
    subject = _model(torch, row, params) if row.module else [{"params": params, **row.group}]
    optimizer = optimizer_class(subject, **_arguments(torch, row, options, hyper))
    groups = optimizer.param_groups if row.module else optimizer.param_groups * len(params)
    for param, slot in zip(params, slots, strict=True):
        param.grad = to_tensor(torch, slot.grad)
    if row.made:
        optimizer.init_group(optimizer.param_groups[0])
    for group, param, slot in zip(groups, params, slots, strict=True):
        group["step"] = slot.state["t"] + row.first
        for ours, theirs in row.scalars.items():
            group[theirs] = float(slot.state[ours])
        state = optimizer.state[param]
        state.update(_tensors(torch, row, slot))
        if row.bridge:
            BRIDGES[row.bridge].enter(torch, group, state, hyper, slot)
    optimizer.step(**_estimates(torch, row, hyper, slots))
    return [
        Stepped(
            from_tensor(torch, param),
            {
                **_fields(torch, row, optimizer.state[param], slot),
                **{ours: number(group[key], slot.state[ours]) for ours, key in row.scalars.items()},
                **_left(torch, row, group, optimizer.state[param], hyper, slot),
                "t": group["step"] - row.first,
            },
        )
        for group, param, slot in zip(groups, params, slots, strict=True)
    ]


def _estimates(torch: Any, row: Row, hyper: Any, slots: Sequence[Slot]) -> dict[str, Any]:
    """What step() takes in a step that refreshes the Hessian; in any other it would refresh it."""
    if not row.estimate or slots[0].state["t"] % hyper.period:
        return {}
    return {"hessian": [to_tensor(torch, slot.inputs["estimate"]) for slot in slots]}


def _left(
    torch: Any, row: Row, group: dict[str, Any], state: dict[str, Any], hyper: Any, slot: Slot
) -> dict[str, Array]:
    return BRIDGES[row.bridge].leave(torch, group, state, hyper, slot) if row.bridge else {}


def _tensors(torch: Any, row: Row, slot: Slot) -> dict[str, Any]:
    """The library's tensors; what the reference leaves empty it does not have."""
    out = {}
    for ours, theirs in row.state.items():
        array = slot.state[ours]
        if array.size or not slot.param.size:
            out[theirs] = to_tensor(torch, array)
            if ours in row.squeezed and array.ndim > 1:
                out[theirs] = out[theirs].squeeze(row.squeezed[ours])
    return out


def _fields(torch: Any, row: Row, state: Mapping[str, Any], slot: Slot) -> dict[str, Array]:
    """The reference's tensors; those that the library does not have stay as they were."""
    kept = {name: x.copy() for name, x in slot.state.items() if isinstance(x, np.ndarray)}
    return kept | {
        ours: from_tensor(torch, state[theirs]).reshape(slot.state[ours].shape)
        for ours, theirs in row.state.items()
        if theirs in state
    }


def _fused(
    torch: Any,
    row: Row,
    optimizer_class: Callable[..., Any],
    options: Mapping[str, Any],
    hyper: Any,
    slot: Slot,
) -> Stepped:
    """A step inside the backward pass of a loss whose gradient is the slot's."""
    param = torch.nn.Parameter(to_tensor(torch, slot.param))
    name = f"{row.module}0"
    optimizer = optimizer_class(
        _model(torch, row, [param]), **_arguments(torch, row, options, hyper)
    )
    tensors = _tensors(torch, row, slot)
    for key, tensor in tensors.items():
        getattr(optimizer, key)[name] = tensor
    optimizer.num_steps = slot.state["t"]
    loss = (param * to_tensor(torch, slot.grad)).sum()
    if "clip_grad_norm" in row.numbers.values():
        optimizer.grad_norm(loss)
    optimizer.fused_backward(loss, float(hyper.lr))
    state = {key: getattr(optimizer, key)[name] for key in tensors}
    return Stepped(
        from_tensor(torch, param),
        {**_fields(torch, row, state, slot), "t": slot.state["t"] + 1},
    )
