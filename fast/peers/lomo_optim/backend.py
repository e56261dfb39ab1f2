"""lomo-optim on the CPU: LOMO and AdaLomo, whose steps are made inside backward().

Both are handed a loss whose gradient is the given one. They compute in float32, whatever the
parameter's format. AdaLomo asks for CUDA as it is built; here its state stays where it was made.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from unittest import mock

from truestep.fast.peers.torch_arrays import from_tensor, import_torch, to_tensor
from truestep.fast.protocol import BackendUnavailable, Capability, Group, Slot, Stepped

ARITHMETIC = {
    "bfloat16": "bfloat16_params",
    "float32": "sequential_float32",
}
# The reference's averages, the library's, and the axis of size 1 that it leaves out.
AVERAGES = {"r": ("exp_avg_sq_row", -1), "c": ("exp_avg_sq_col", -2)}
WEIGHT = "weight"


@dataclass(frozen=True, slots=True)
class Row:
    """One optimizer as an implementation of a rule: numbers are hyperparameters and arguments."""

    rule: str
    optimizer: str
    variant: str
    dialect: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    formats: tuple[str, ...] = ("float32",)
    shapes: Literal["any", "matrices"] = "any"


# The library adds 1e-6 to the norm; its loss scale is that of float16, which needs CUDA.
_LOMO = {"eps": 1e-6, "loss_scale": 1.0}
_NORM = {"clip_norm": "clip_grad_norm"}
_VALUE = {"clip_value": "clip_grad_value"}
ROWS: tuple[Row, ...] = (
    # Where the gradient is multiplied by the loss scale of 2^10 and divided by it.
    Row("adalomo", "AdaLomo", "scaled_fused", shapes="matrices"),
    Row("adalomo", "AdaLomo", "fused", options={"loss_scale": 0}, shapes="matrices"),
    Row("lomo", "Lomo", "both_fused", {"clip": "both"}, {**_NORM, **_VALUE}, fixed=_LOMO),
    Row("lomo", "Lomo", "fused", fixed=_LOMO, formats=("bfloat16", "float32")),
    Row("lomo", "Lomo", "norm_fused", {"clip": "norm"}, _NORM, fixed=_LOMO),
    Row("lomo", "Lomo", "value_fused", {"clip": "value"}, _VALUE, fixed=_LOMO),
)


class Backend:
    """lomo_optim's optimizers, rebuilt from the given state for every step of one tensor."""

    name = "lomo_optim"

    def __init__(self) -> None:
        self._torch = import_torch()
        try:
            self._library = importlib.import_module("lomo_optim")
        except Exception as error:
            raise BackendUnavailable(f"lomo-optim cannot be imported: {error}") from error
        self._rows = {(row.rule, row.variant): row for row in ROWS}

    def capabilities(self) -> tuple[Capability, ...]:
        """LOMO with every clipping, and AdaLomo with a loss scale and without."""
        return tuple(
            Capability(
                kind="optimizer",
                rule=row.rule,
                format=format,
                arithmetic=ARITHMETIC[format],
                dialect=row.dialect,
                variant=row.variant,
                fixed={"maximize": False, **row.fixed},
                level="smoke" if format == "float32" else "standard",
                shapes=row.shapes,
            )
            for row in ROWS
            for format in row.formats
        )

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One fused backward pass for each tensor, in a model of its own."""
        row = self._rows[capability.rule, capability.variant]
        return [[self._stepped(row, group.hyper, slot) for slot in group.slots] for group in groups]

    def _stepped(self, row: Row, hyper: Any, slot: Slot) -> Stepped:
        torch = self._torch
        param = torch.nn.Parameter(to_tensor(torch, slot.param))
        model = torch.nn.Module()
        model.register_parameter(WEIGHT, param)
        with _on_cpu(torch):
            optimizer = getattr(self._library, row.optimizer)(model, **_arguments(row, hyper))
        optimizer.step_num = slot.state["t"]
        averages = {n: AVERAGES[n] for n in slot.state if n in AVERAGES}
        for ours, (theirs, axis) in averages.items():
            getattr(optimizer, theirs)[WEIGHT] = to_tensor(torch, slot.state[ours]).squeeze(axis)
        loss = (param * to_tensor(torch, slot.grad)).sum()
        if "clip_grad_norm" in row.numbers.values():
            optimizer.grad_norm(loss)
        optimizer.fused_backward(loss, float(hyper.lr))
        kept = {name: x.copy() for name, x in slot.state.items() if name != "t"}
        for ours, (theirs, _) in averages.items():
            average = from_tensor(torch, getattr(optimizer, theirs)[WEIGHT])
            kept[ours] = average.reshape(slot.state[ours].shape)
        return Stepped(from_tensor(torch, param), {**kept, "t": slot.state["t"] + 1})


def _arguments(row: Row, hyper: Any) -> dict[str, Any]:
    """The constructor's arguments of these hyperparameters."""
    numbers = {theirs: getattr(hyper, ours) for ours, theirs in row.numbers.items()}
    if row.rule == "adalomo":
        numbers |= {"eps": (hyper.eps1, hyper.eps2), "decay_rate": -hyper.decay_rate}
        numbers["clip_threshold"] = hyper.clip_threshold
    return {"lr": hyper.lr, "weight_decay": hyper.weight_decay, **numbers, **row.options}


@contextlib.contextmanager
def _on_cpu(torch: Any) -> Iterator[None]:
    with mock.patch.object(torch.Tensor, "cuda", lambda tensor: tensor):
        yield
