"""PyTorch's own optimizers on the CPU: single-tensor, foreach, fused, differentiable, compiled.

Arithmetic, from torch/optim/*.py and the behaviour of torch's CPU kernels:

single, foreach: every torch operation rounds to the parameter's format, so bfloat16 computes in
bfloat16. Functions of the step counter are Python doubles.
fused: one kernel computes in float32 (float64 for float64) and rounds once as it stores; the new
moments enter the update before they are rounded. It is handed contiguous copies; "fused_strided" is
handed the strides that the caller has, as the other paths are.
differentiable: as single, with the formula of capturable=True (which refuses the CPU): functions of
the counter are float32 tensors, whatever the format. For float64 that is a departure, not an
arithmetic one may declare: see findings.py.
compiled: see torch_compiled.py.

The counter is a float32 tensor, as torch stores it. SGD has no counter, and no buffer before its
first step: a slot with t = 0 is handed over without one, and t + 1 comes from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from truestep.fast.peers.torch_arrays import from_tensor, import_torch, to_tensor
from truestep.fast.peers.torch_compiled import FIXED, CompiledOptimizer, has_compiler
from truestep.fast.protocol import BackendUnavailable, Capability, Group, Slot, Stepped

ADAM_STATE = {"m": "exp_avg", "v": "exp_avg_sq"}
PATHS: dict[str, dict[str, bool]] = {
    "single": {"foreach": False, "fused": False},
    "foreach": {"foreach": True, "fused": False},
    "fused": {"foreach": False, "fused": True},
    "fused_strided": {"foreach": False, "fused": True},
    "differentiable": {"foreach": False, "fused": False, "differentiable": True},
}

ARITHMETIC: dict[str, dict[str, str]] = {
    "bfloat16": {
        "single": "bfloat16",
        "foreach": "bfloat16",
        "fused": "bfloat16_storage",
        "differentiable": "bfloat16",
    },
    "float16": {
        "single": "float16",
        "foreach": "float16",
        "fused": "float16_storage",
        "differentiable": "float16",
    },
    "float32": {
        "single": "ieee_float32",
        "foreach": "ieee_float32",
        "fused": "ieee_float32",
        "fused_strided": "ieee_float32",
        "differentiable": "capturable_float32",
        "compiled": "capturable_float32",
    },
    "float64": {
        "single": "ieee_float64",
        "foreach": "ieee_float64",
        "fused": "ieee_float64",
        "differentiable": "ieee_float64",
    },
}


@dataclass(frozen=True, slots=True)
class Row:
    """One of torch's optimizers as an implementation of a reference rule.

    optimizer: its name in torch.optim. state: the reference's fields and torch's names. prefix:
    of the variants' names, where two optimizers implement one rule. options: constructor arguments.
    """

    rule: str
    optimizer: str
    state: Mapping[str, str]
    prefix: str = ""
    dialect: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


ROWS: tuple[Row, ...] = (
    Row("adam", "Adam", ADAM_STATE),
    Row("adamw", "AdamW", ADAM_STATE, dialect={"decay": "before"}),
    Row(
        "amsgrad",
        "Adam",
        {**ADAM_STATE, "v_max": "max_exp_avg_sq"},
        dialect={"bias_correction": "both"},
        options={"amsgrad": True},
    ),
    Row(
        "amsgrad",
        "AdamW",
        {**ADAM_STATE, "v_max": "max_exp_avg_sq"},
        prefix="adamw_",
        dialect={"bias_correction": "both", "decay": "before"},
        options={"amsgrad": True},
    ),
    Row(
        "nesterov",
        "SGD",
        {"u": "momentum_buffer"},
        dialect={"form": "torch"},
        # The constructor looks at its default alone; each group brings its own momentum.
        options={"nesterov": True, "momentum": 0.9},
    ),
    Row("sgd", "SGD", {"b": "momentum_buffer"}),
)


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
        }
        self._compiled: dict[str, tuple[Row, CompiledOptimizer]] = {}

    def capabilities(self) -> tuple[Capability, ...]:
        """Every optimizer, path and format that torch runs on the CPU."""
        return tuple(
            _capability(row, format, path, arithmetic)
            for row in ROWS
            for format, paths in ARITHMETIC.items()
            for path, arithmetic in paths.items()
            if _offered(row, path)
        )

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One step() of a fresh optimizer with one param_group per group and the state loaded."""
        if capability.variant == "compiled":
            return self._compiled_step(capability.rule, groups)
        row, options, optimizer_class = self._plans[capability.rule, capability.variant]
        torch = self._torch
        if capability.variant.endswith("fused"):
            groups = [
                Group(group.hyper, [_dense(slot) for slot in group.slots]) for group in groups
            ]
        param_groups = []
        for group in groups:
            params = []
            for slot in group.slots:
                param = to_tensor(torch, slot.param)
                param.grad = to_tensor(torch, slot.grad)
                params.append(param)
            param_groups.append({"params": params, **_hyper(row, group.hyper)})
        if not any(entry["params"] for entry in param_groups):
            return [[] for _ in groups]
        optimizer = optimizer_class(param_groups, **options)
        for entry, group in zip(param_groups, groups, strict=True):
            for param, slot in zip(entry["params"], group.slots, strict=True):
                optimizer.state[param] = _loaded(torch, row, group.hyper, slot)
        optimizer.step()
        return [
            [
                Stepped(from_tensor(torch, param), _state(torch, row, optimizer.state[param], slot))
                for param, slot in zip(entry["params"], group.slots, strict=True)
            ]
            for entry, group in zip(param_groups, groups, strict=True)
        ]

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
    return Capability(
        kind="optimizer",
        rule=row.rule,
        format=format,
        arithmetic="ieee_float32" if compiled and row.optimizer == "SGD" else arithmetic,
        dialect=row.dialect,
        variant=row.prefix + path,
        fixed=FIXED[row.rule] if compiled else {},
        level="deep" if compiled else "smoke" if format == "float32" else "standard",
    )


def _offered(row: Row, path: str) -> bool:
    if path == "compiled":
        # One of the two forms of amsgrad: a graph takes seconds to compile.
        return not row.prefix and has_compiler()
    # SGD has no function of a counter: its differentiable path runs the single-tensor code.
    return not (path == "differentiable" and row.optimizer == "SGD")


def _hyper(row: Row, hyper: Any) -> dict[str, Any]:
    common = {
        "lr": float(hyper.lr),
        "weight_decay": float(hyper.weight_decay),
        "maximize": hyper.maximize,
    }
    if row.optimizer != "SGD":
        betas = (float(hyper.beta1), float(hyper.beta2))
        return {**common, "betas": betas, "eps": float(hyper.eps)}
    if row.rule == "nesterov":
        if not hyper.momentum > 0:
            raise BackendUnavailable(
                f"torch.optim.SGD(nesterov=True) demands momentum > 0, got {hyper.momentum!r}"
            )
        return {**common, "momentum": float(hyper.momentum)}
    return {**common, "momentum": float(hyper.momentum), "dampening": float(hyper.dampening)}


def _loaded(torch: Any, row: Row, hyper: Any, slot: Slot) -> dict[str, Any]:
    if row.optimizer == "SGD" and (slot.state["t"] == 0 or hyper.momentum == 0):
        return {}
    state = {theirs: to_tensor(torch, slot.state[ours]) for ours, theirs in row.state.items()}
    if row.optimizer != "SGD":
        state["step"] = torch.tensor(float(slot.state["t"]), dtype=torch.float32)
    return state


def _state(torch: Any, row: Row, loaded: Mapping[str, Any], slot: Slot) -> dict[str, Any]:
    state: dict[str, Any] = {
        # Without momentum torch keeps no buffer, and the reference leaves its own as it was.
        ours: from_tensor(torch, loaded[theirs]) if theirs in loaded else slot.state[ours].copy()
        for ours, theirs in row.state.items()
    }
    state["t"] = int(loaded["step"].item()) if "step" in loaded else slot.state["t"] + 1
    return state
