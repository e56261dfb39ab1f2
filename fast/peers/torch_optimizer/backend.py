"""jettify's torch_optimizer on the CPU: which reference rule each computes, and its options.

torch's norm and dot add in a few lanes, one element after another.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch_optimizer

from truestep.fast.peers import torch_like, torch_lookahead
from truestep.fast.peers.torch_like import (
    BETAS,
    BUFFER,
    DECAY,
    EPS,
    FACTORED,
    MOMENTS,
    SEQUENTIAL,
    SIDES,
    Bridge,
    Named,
    Row,
    begins,
    never,
    number,
)
from truestep.fast.peers.torch_lookahead import LOOKAHEAD
from truestep.fast.peers.torch_matrices import shampoo
from truestep.fast.peers.torch_optimizer.lives import LIVES
from truestep.fast.peers.torch_tensors import to_tensor
from truestep.fast.peers.torch_velocities import AGGMO
from truestep.fast.protocol import Group, Slot, Stepped
from truestep.reference.declared import Hyper


def _enter_a2grad(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    state["alpha_k"] = 2 / (slot.state["t"] + 2)
    state["v_k"], state["v_kk"] = (float(slot.state[name]) for name in ("v", "w"))


def _leave_a2grad(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    names = {"v": "v_k", "w": "v_kk"}
    return {ours: number(state[theirs], slot.state[ours]) for ours, theirs in names.items()}


def _phase_of_swats(hyper: Hyper, slot: Slot) -> Named:
    if not slot.state["switched"]:
        return {"phase": "ADAM"}
    return {"phase": "SGD", "lr": slot.state["sgd_lr"].item()}


def _enter_swats(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    state["exp_avg2"] = torch.tensor([slot.state["average"].item()], dtype=torch.float32)
    if slot.state["switched"]:
        state["momentum_buffer"] = to_tensor(slot.state["b"])


def _enter_qhadam(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    for name in ("beta1", "beta2"):
        beta = getattr(hyper, name)
        state[f"{name}_weight"] = (1 - beta ** slot.state["t"]) / (1 - beta)


def _leave_swats(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    switched = group["phase"] == "SGD"
    rate = group["lr"] if switched else slot.state["sgd_lr"].item()
    return {
        "average": number(state["exp_avg2"], slot.state["average"]),
        "sgd_lr": number(rate, slot.state["sgd_lr"]),
        "switched": number(switched, slot.state["switched"]),
    }


_A2GRAD = Row(
    "a2grad",
    "A2GradUni",
    {"x": "x_k", "n": "avg_grad"},
    {"beta": "beta", "lips": "lips"},
    # It takes no rate.
    fixed={"lr": 1.0},
    fresh=never,
    bridge=Bridge(enter=_enter_a2grad, leave=_leave_a2grad),
    arithmetic=SEQUENTIAL,
)
_ADABOUND = Row(
    "adabound",
    "AdaBound",
    MOMENTS,
    {**BETAS, "final_lr": "final_lr", "gamma": "gamma", **EPS, **DECAY},
    # It divides by the first rate.
    fixed={"lr": (1e-3, 0.1, 1.3)},
)
_ADAHESSIAN = Row(
    "adahessian",
    "Adahessian",
    {"m": "exp_avg", "v": "exp_hessian_diag_sq"},
    {**BETAS, "hessian_power": "hessian_power", **EPS, **DECAY},
    dialect={"decay": "in_step"},
    fixed={"period": 1},
    # Of three axes it raises, and kernels of four are averaged: see the findings.
    shapes="matrices",
)
_AGGMO = Row(
    "aggmo",
    "AggMo",
    {},
    {"beta1": "betas", "beta2": "betas", "beta3": "betas", **DECAY},
    # Two that are equal share a velocity: see the findings.
    fixed={"beta1": (0.0, 0.5), "beta2": (0.9, 0.3), "beta3": (0.99, 0.999)},
    counter="",
    bridge=AGGMO,
)
_ADAFACTOR = Row(
    "adafactor",
    "Adafactor",
    FACTORED,
    {
        "decay_rate": "-decay_rate",
        "eps1": "eps2",
        "eps2": "eps2",
        "clip_threshold": "clip_threshold",
        **DECAY,
    },
    dialect={"decay": "step"},
    # The library caps relative steps by 1e-2, its decay by nothing.
    fixed={"beta2_cap": 1.0, "lr": 1e-2, "min_size": 0},
    squeezed=SIDES,
    # Of other shapes it raises on some: see the findings.
    shapes="matrices",
    arithmetic=SEQUENTIAL,
)
_LAMB = Row(
    "lamb",
    "Lamb",
    MOMENTS,
    {**BETAS, **EPS, **DECAY},
    dialect={"bias_correction": "none", "clip": "norm_10", "guard": "one"},
    arithmetic=SEQUENTIAL,
)
_PROJECTED = {"delta": "delta", "nesterov": "nesterov", "wd_ratio": "wd_ratio", **EPS, **DECAY}
_ADAMP = Row(
    "adamp",
    "AdamP",
    MOMENTS,
    {**BETAS, **_PROJECTED},
    dialect={"cosine": "sum"},
    shapes="nonempty",
    # It refuses views: see the findings.
    given="copies",
    arithmetic=SEQUENTIAL,
)
_QHADAM = Row(
    "qhadam",
    "QHAdam",
    MOMENTS,
    {**BETAS, "nu1": "nus", "nu2": "nus", **EPS, **DECAY},
    dialect={"bias_correction": "in_average"},
    counter="",
    bridge=Bridge(enter=_enter_qhadam),
)
_QHM = Row(
    "qhm",
    "QHM",
    {"m": "momentum_buffer"},
    {"momentum": "momentum", "nu": "nu", **DECAY},
    counter="",
)
_SGD = Row(
    "sgd",
    "SGDW",
    {"b": "momentum_buffer"},
    {"momentum": "momentum", "dampening": "dampening", **DECAY},
    dialect={"decay": "decoupled"},
    counter="",
    bridge=BUFFER,
)
_ADABELIEF = Row(
    "adabelief", "AdaBelief", {"m": "exp_avg", "v": "exp_avg_var"}, {**BETAS, **EPS, **DECAY}
)
_MADGRAD = Row(
    "madgrad",
    "MADGRAD",
    {"s": "s", "v": "grad_sum_sq", "p0": "x0"},
    {"momentum": "momentum", **EPS, **DECAY},
    dialect={"rate": "with_eps"},
    # Without momentum there is no first point.
    fixed={"momentum": (0.9, 0.5)},
    shared={"t": "k"},
    fresh=never,
)
_ADAMOD = Row(
    "adamod",
    "AdaMod",
    {**MOMENTS, "limit": "exp_avg_lr"},
    {**BETAS, "beta3": "beta3", **EPS, **DECAY},
    dialect={"correction": "rate"},
)
_NOVOGRAD = Row(
    "novograd",
    "NovoGrad",
    {"m": "exp_avg", "v": "exp_avg_sq"},
    {**BETAS, **EPS, **DECAY},
    dialect={"start": "while_zero"},
    arithmetic=SEQUENTIAL,
)
ROWS: tuple[Row, ...] = (
    _A2GRAD,
    replace(
        _A2GRAD,
        optimizer="A2GradExp",
        prefix="exponential_",
        numbers={**_A2GRAD.numbers, "rho": "rho"},
        dialect={"moments": "exponential"},
    ),
    replace(
        _A2GRAD, optimizer="A2GradInc", prefix="incremental_", dialect={"moments": "incremental"}
    ),
    Row(
        "accsgd",
        "AccSGD",
        {"b": "momentum_buffer"},
        {"constant": "small_const", "kappa": "kappa", "xi": "xi", **DECAY},
        counter="",
    ),
    _ADABELIEF,
    _ADABELIEF.but("decoupled_", {"decay": "before"}, {"weight_decouple": True}),
    _ADABELIEF.but(
        "unscaled_", {"decay": "unscaled"}, {"weight_decouple": True, "fixed_decay": True}
    ),
    _ADAFACTOR,
    replace(_ADAFACTOR, prefix="any_shape_", shapes="nonempty"),
    replace(
        _ADAFACTOR,
        state={**FACTORED, "m": "exp_avg"},
        numbers={**_ADAFACTOR.numbers, "beta1": "beta1"},
        prefix="momentum_",
        dialect={"decay": "step", "momentum": "of_step", "step_size": "constant"},
        options={"relative_step": False},
        fixed={"beta2_cap": 1.0, "min_size": 0},
    ),
    _ADAFACTOR.but(
        "unscaled_",
        {"decay": "step", "parameter_scale": "none", "step_size": "constant"},
        {"relative_step": False, "scale_parameter": False},
        fixed={"beta2_cap": 1.0, "min_size": 0},
    ),
    _ADAFACTOR.but("warmup_", {"decay": "step", "step_size": "warmup"}, {"warmup_init": True}),
    _ADABOUND,
    _ADAHESSIAN,
    _ADAMOD,
    _ADAMP,
    replace(
        _ADABOUND,
        state={**MOMENTS, "v_max": "max_exp_avg_sq"},
        prefix="amsbound_",
        dialect={"maximum": "kept"},
        options={"amsbound": True},
    ),
    _AGGMO,
    _AGGMO.but("equal_", fixed={"beta1": 0.9, "beta2": 0.9, "beta3": 0.99}),
    Row(
        "diffgrad",
        "DiffGrad",
        {**MOMENTS, "previous": "previous_grad"},
        {**BETAS, **EPS, **DECAY},
        dialect={"eps_placement": "before_correction"},
    ),
    _LAMB,
    _LAMB.but("debiased_", {"bias_correction": "after_ratio"}, {"debias": True}),
    replace(
        _LAMB,
        prefix="unclamped_",
        dialect={"bias_correction": "none", "guard": "one"},
        options={"clamp_value": math.inf},
    ),
    Row(
        "lars",
        "LARS",
        {"b": "momentum_buffer"},
        {"momentum": "momentum", "trust_coefficient": "trust_coefficient", **EPS, **DECAY},
        dialect={"adapts": "with_decay", "guard": "undecayed", "momentum_form": "lr_outside"},
        # Without momentum there is no buffer.
        fixed={"momentum": 0.9},
        counter="",
        arithmetic=SEQUENTIAL,
    ),
    replace(
        LOOKAHEAD,
        state={"slow": "slow_param"},
        dialect={"sync": "first"},
        departures=("sync",),
        fresh=begins,
    ),
    _MADGRAD,
    _MADGRAD.but(
        "without_momentum_",
        {**_MADGRAD.dialect, "start": "recovered"},
        {"momentum": 0.0},
        fixed={"momentum": 0.0},
    ),
    Row(
        "nesterov",
        "SGDW",
        {"u": "momentum_buffer"},
        {"momentum": "momentum", **DECAY},
        dialect={"decay": "decoupled", "form": "torch"},
        options={"momentum": 0.9, "nesterov": True},
        fixed={"momentum": 0.9, "weight_decay": 0.0},
        counter="",
    ),
    _NOVOGRAD,
    _NOVOGRAD.but("averaged_", {"form": "average"}, {"grad_averaging": True}),
    Row(
        "pid",
        "PID",
        {"i": "i_buffer", "d": "d_buffer", "previous": "grad_buffer"},
        {
            "dampening": "dampening",
            "derivative": "derivative",
            "integral": "integral",
            "momentum": "momentum",
            **DECAY,
        },
        dialect={"first": "whole"},
        # Without momentum there are no buffers.
        fixed={"momentum": (0.9, 0.5, 0.99)},
        counter="",
    ),
    _QHADAM,
    _QHADAM.but(
        "decoupled_",
        {"bias_correction": "in_average", "decay": "before"},
        {"decouple_weight_decay": True},
    ),
    _QHM,
    _QHM.but("decoupled_", {"decay": "before"}, {"weight_decay_type": "direct"}),
    Row(
        "radam",
        "RAdam",
        MOMENTS,
        {**BETAS, **EPS, **DECAY},
        dialect={"decay": "before", "eps_placement": "before_correction", "threshold": "from_5"},
    ),
    _SGD,
    _SGD.but("undecayed_", fixed={"weight_decay": 0.0}),
    replace(
        _ADAMP,
        rule="sgdp",
        optimizer="SGDP",
        state={"b": "momentum"},
        numbers={"dampening": "dampening", "momentum": "momentum", **_PROJECTED},
        counter="",
    ),
    Row(
        "ranger",
        "Ranger",
        {**MOMENTS, "slow": "slow_buffer"},
        {**BETAS, "k": "k", **EPS, **DECAY},
        dialect={"centralize": "none"},
        # Alpha is the constructor's alone.
        fixed={"alpha": 0.5},
        # Groups share the size of a step: see the findings.
        apart=True,
    ),
    Row(
        "shampoo",
        "Shampoo",
        {"m": "momentum_buffer"},
        {
            "momentum": "momentum",
            "eps": "epsilon",
            "precondition_frequency": "update_freq",
            **DECAY,
        },
        dialect={
            "exponent": "order",
            "momentum_form": "fed_back",
            "spectrum": "as_found",
            "statistics": "preconditioned",
        },
        departures=("exponent",),
        bridge=shampoo("precond"),
        shapes="nonempty",
    ),
    Row(
        "swats",
        "SWATS",
        {**MOMENTS, "b": "momentum_buffer"},
        {**BETAS, **EPS},
        bridge=Bridge(_phase_of_swats, _enter_swats, _leave_swats),
        single=True,
        given="vectors",
        arithmetic=SEQUENTIAL,
    ),
    Row(
        "yogi",
        "Yogi",
        MOMENTS,
        {**BETAS, "initial": "initial_accumulator", **EPS, **DECAY},
        dialect={"bias_correction": "both", "start": "both"},
    ),
)


class _Curved(torch.autograd.Function):  # type: ignore[misc]  # torch types it as Any.
    """A gradient whose derivative by the parameter is a given diagonal."""

    @staticmethod
    def forward(
        context: torch.autograd.function.FunctionCtx,
        _param: torch.Tensor,
        grad: torch.Tensor,
        diagonal: torch.Tensor,
    ) -> torch.Tensor:
        """The gradient."""
        context.save_for_backward(diagonal)
        return grad.clone()

    @staticmethod
    def backward(
        context: torch.autograd.function.BackwardCFunction, probe: torch.Tensor
    ) -> tuple[torch.Tensor, None, None]:
        """The diagonal times a probe."""
        [diagonal] = context.saved_tensors
        return diagonal * probe, None, None


class Backend(torch_like.Backend):
    """torch_optimizer's classes."""

    name, library, rows, lives = "torch_optimizer", torch_optimizer, ROWS, LIVES
    # It calls torch by signatures that are deprecated.
    warns = True

    def stepped(self, row: Row, groups: Sequence[Group]) -> list[list[Stepped]]:
        """A step, of Lookahead around torch's SGD."""
        if row.rule != "lookahead":
            return super().stepped(row, groups)
        make = torch_optimizer.Lookahead
        return [torch_lookahead.stepped(row, group, make) for group in groups]

    def step(
        self, row: Row, optimizer: torch.optim.Optimizer, slots: Sequence[tuple[Hyper, Slot]]
    ) -> None:
        """AdaHessian takes the Hessian's products with its probes from the gradients' graph."""
        params = [param for entry in optimizer.param_groups for param in entry["params"]]
        if row.rule != "adahessian":
            optimizer.step()
            return
        for (_, slot), param in zip(slots, params, strict=True):
            estimate = to_tensor(slot.inputs["estimate"])
            param.grad = _Curved.apply(param.requires_grad_(), param.grad, estimate)
        optimizer.step()
        for param in params:
            param.requires_grad_(requires_grad=False)
