"""HeavyBall on the CPU, uncompiled, one tensor after the other ("single") and in lists ("multi").

HeavyBall compiles every function with torch.compile unless heavyball.utils.compile_mode is None,
which is set here for the whole process. Compiled it computes the same lines; every shape and every
number of tensors would be compiled anew.

Muon rounds float32 to bfloat16 at random before it iterates, by one draw for each of
heavyball.utils.dither_steps; without any, as set here, the same line rounds to the nearest. Tensors
of float64 it iterates as they are.

Arithmetic: hyperparameters become tensors of the parameters' format, and so does every function of
the counter; a learning rate is float32 in any. Moments are kept as averages that are already
corrected for their zero start, by a decay that moves with t.

Left out: SOAP, which corrects its factors within their average, keeps the average of gradients in
the bases, lifts a factor by 64 n roundings of the format before the QR step, puts the columns of a
basis back in their places, and has no basis for an axis of one: it is a rule of its own, whose
bases are others from the second step on. Here every class of that family is judged without any
basis (max_precond_dim=0), where it is the rule that it runs in them: their columns are not judged.
PSGD, LATHER, HyperBall, OrthoGrad and SUDS have no rule here.

Scion draws the parameter anew before its first step, a finding: it is judged as if that were made.

MSAMLaProp is judged with a sam_step_size of 0, where it is LaProp, and SAMWrapper with a gradient
that is the same everywhere, where it is what it wraps.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import heavyball
import torch

from truestep.fast.peers import torch_like
from truestep.fast.peers.torch_like import (
    BETAS,
    DECAY,
    EPS,
    MOMENTS,
    Bridge,
    Named,
    Row,
    never,
    number,
)
from truestep.fast.peers.torch_signatures import life
from truestep.fast.peers.torch_tensors import to_tensor
from truestep.fast.protocol import Slot, Storage
from truestep.reference.declared import Hyper

heavyball.utils.compile_mode = None
heavyball.utils.dither_steps = 0

PATHS: Mapping[str, Mapping[str, object]] = {
    "multi": {"multi_tensor": True},
    "single": {"multi_tensor": False},
}
# What the library calls rests.
OWN = "::ecc"
REST = f"param{OWN}"
CORRECTED = {"bias_correction": "in_average", "eps_placement": "floor"}


def _largest_rate(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    # Not kept by the library, which weighs by the rate of each step.
    largest = max(float(slot.state["lr_max"]), float(hyper.lr))
    return {"lr_max": number(largest, slot.state["lr_max"])}


def _started(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    # The first step, which is another, is behind.
    state["_warmup_1"] = 1


def _quarter_of_largest(hyper: Hyper, slot: Slot) -> Named:
    """A rate of a quarter of the largest, with four times the decay: that of AdamW."""
    return {"max_lr": 4 * hyper.lr or 1.0, "weight_decay": 4 * hyper.weight_decay}


def _bases_made(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    # The first step makes bases alone. Averages are kept in stacks of tensors of one shape.
    group["step_count"] += 1
    for name, held in state.items():
        if "exp_avg" in name:
            state[name] = held[None]


def _without_first(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    return {"t": int(group["step_count"]) - 1}


def _with_point(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    state["update_by_msam_z_1"] = to_tensor(slot.param)


def _ball(hyper: Hyper, slot: Slot) -> Named:
    return {"betas": (hyper.momentum,), "scale": hyper.radius}


def _drawn_before(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    state["scion_auto_norm_scion_state_1"] = {"initialized": True}


def _in_float64(row: Row) -> Row:
    """Every rate passes through float32, whatever the parameters: a finding. This one is exact."""
    return replace(row, arithmetic={"float64": "ieee_float64"}, fixed={**row.fixed, "lr": 2.0**-5})


_ADAMW = Row(
    "adamw",
    "AdamW",
    MOMENTS,
    {**BETAS, **EPS, **DECAY},
    dialect={**CORRECTED, "decay": "before"},
    paths=PATHS,
    arithmetic={"float32": "float32_hyper"},
    shared={"t": "step_count"},
    # Hyperparameters are arguments of the constructor.
    apart=True,
)
_MUON = replace(
    _ADAMW,
    rule="muon",
    optimizer="Muon",
    state={"b": "momentum"},
    numbers={"nesterov": "nesterov", **DECAY},
    dialect={"coefficients": "quintic", "norm_guard": "floor", "scale": "tall"},
    options={"heavyball_momentum": True},
    fixed={"eps": 1e-7, "ns_steps": 5},
    arithmetic={"float32": "bfloat16_newton_schulz_hyper"},
    bridge=Bridge(lambda hyper, slot: {"betas": (hyper.momentum,)}),
    shapes="matrices",
)
_ADDED = replace(
    _MUON,
    prefix="added_",
    dialect={**_MUON.dialect, "momentum_form": "added"},
    options={},
    fixed={**_MUON.fixed, "nesterov": True},
)
_SCION = replace(
    _MUON,
    rule="scion",
    optimizer="Scion",
    state={"d": "exp_avg"},
    numbers=DECAY,
    dialect={"coefficients": "quintic", "momentum_form": "in_average", "norm_guard": "floor"},
    options={},
    fixed={"max_scale": False, "normalized": True, "ns_eps": 1e-7, "ns_steps": 5},
    fresh=never,
    bridge=Bridge(_ball, _drawn_before),
)
_NADAM = replace(
    _ADAMW,
    rule="nadam",
    optimizer="NAdam",
    state={**MOMENTS, "mu_product": "mu_product"},
    numbers={**_ADAMW.numbers, "momentum_decay": "momentum_decay"},
    dialect=CORRECTED,
    options={"decoupled_weight_decay": False},
)


_ADEMAMIX = replace(
    _ADAMW,
    rule="ademamix",
    optimizer="AdEMAMix",
    state={"m1": "exp_avg_fast", "m2": "exp_avg_slow", "v": "exp_avg_sq"},
    numbers={**BETAS, "beta3": "betas", "alpha": "alpha", **EPS, **DECAY},
    fixed={"alpha_warmup": 0, "beta3_warmup": 0},
)
_LAPROP = replace(
    _ADAMW,
    rule="laprop",
    optimizer="LaProp",
    numbers={**BETAS, **DECAY},
    # Its eps does not reach the step: see the findings.
    fixed={"eps": 1e-8},
)
_SGD = replace(
    _ADAMW,
    rule="sgd",
    optimizer="SGD",
    state={"b": "momentum"},
    numbers={"momentum": "beta", **DECAY},
    dialect={"decay": "decoupled"},
    fixed={"dampening": 0.0, "momentum": 0.9},
)
_AVERAGED = replace(
    _SGD,
    state={"b": "exp_avg"},
    numbers=DECAY,
    dialect={"decay": "decoupled", "first_step": "damped"},
    fixed={"dampening": 0.9, "momentum": 0.9},
)
_NADAMW = replace(_NADAM, dialect={**CORRECTED, "decay": "before"}, options={})
# Of the classes that have bases: what runs in them. Those named heavy carry it from basis to basis
# in another way.
WITHOUT_BASES: Mapping[str, Row] = {
    "HeavyKLSOAP": _ADAMW,
    "HeavyKLShampoo": _AVERAGED,
    "HeavySOAP": _ADAMW,
    "HeavySOAPAdEMAMix": _ADEMAMIX,
    "HeavySOAPNAdam": _NADAMW,
    "HeavySOLP": _LAPROP,
    "KLSOAP": _ADAMW,
    "KLShampoo": _AVERAGED,
    "SOAP": _ADAMW,
    "SOAPAdEMAMix": _ADEMAMIX,
    "SOAPNAdam": _NADAMW,
    "SOLP": _LAPROP,
}


def _without_bases(optimizer: str, row: Row) -> Row:
    """No axis has a factor; the counter lags by the step that makes the bases.

    None is refreshed, which tensors of at most one element do not take: a finding.
    """
    return replace(
        row,
        optimizer=optimizer,
        prefix=f"{optimizer.lower()}_",
        options={"max_precond_dim": 0, "merge_dims": False, "precondition_frequency": 1000},
        fresh=never,
        bridge=Bridge(enter=_bases_made, leave=_without_first),
    )


def _in_two_parts(row: Row, bits: int) -> Row:
    """Parameters in bfloat16 and a rest, which is drawn; moments in float32."""
    return replace(
        row,
        prefix=f"rest{bits}_",
        state={**row.state, "p_code": REST},
        options={"param_ecc": f"bf16+{bits}", "storage_dtype": "float32"},
        storage={
            "p": Storage(f"bfloat16_rest{bits}", {"rest": "fraction", "rounding": "stochastic"})
        },
        arithmetic={"bfloat16": "float32_hyper"},
        paths={"single": PATHS["single"]},
    )


def _moments_in_two_parts(row: Row, bits: int) -> Row:
    """Both moments in bfloat16 and a rest, which is drawn."""
    kept = Storage(f"bfloat16_rest{bits}", {"rest": "fraction", "rounding": "stochastic"})
    high = {f"{ours}_high": theirs for ours, theirs in MOMENTS.items()}
    return replace(
        row,
        prefix=f"moments_rest{bits}_",
        state={**high, **{f"{ours}_code": f"{theirs}{OWN}" for ours, theirs in MOMENTS.items()}},
        options={"ecc": f"bf16+{bits}"},
        storage=dict.fromkeys(MOMENTS, kept),
        paths={"single": PATHS["single"]},
    )


ROWS: tuple[Row, ...] = (
    _ADAMW,
    _ADAMW.but("cautious_", {**CORRECTED, "decay": "cautious"}, {"cautious_weight_decay": True}),
    replace(_ADAMW, optimizer="AdamC", prefix="adamc_", bridge=Bridge(entries=_quarter_of_largest)),
    replace(_ADAMW, optimizer="SAMWrapper", prefix="in_sam_"),
    replace(_ADAMW, optimizer="SplitOpt", prefix="in_split_"),
    _in_two_parts(_ADAMW, 8),
    _in_two_parts(_ADAMW, 16),
    _moments_in_two_parts(_ADAMW, 8),
    _moments_in_two_parts(_ADAMW, 16),
    _ADEMAMIX,
    replace(
        _ADAMW,
        rule="adopt",
        optimizer="ADOPT",
        dialect={"bias_correction": "in_average", "clip": "none", "decay": "before"},
        bridge=Bridge(enter=_started),
    ),
    _LAPROP,
    # Here eps reaches it.
    replace(
        _LAPROP,
        optimizer="MSAMLaProp",
        prefix="msam_",
        numbers={**BETAS, **EPS, **DECAY},
        options={"sam_step_size": 0.0},
        fixed={},
        bridge=Bridge(enter=_with_point),
    ),
    _MUON,
    _in_float64(_MUON),
    _ADDED,
    _in_float64(_ADDED),
    # Vectors take a step of AdamW.
    replace(_ADDED, optimizer="MuonAdamW", prefix="adamw_"),
    # In float32 alone: the corrected decay is a float32 near 1 in any format.
    replace(
        _ADDED,
        state={"b": "exp_avg"},
        prefix="averaged_",
        dialect={**_MUON.dialect, "momentum_form": "in_average"},
        fixed={**_MUON.fixed, "nesterov": False},
    ),
    _NADAM,
    _NADAM.but("decoupled_", {**CORRECTED, "decay": "before"}, {"decoupled_weight_decay": True}),
    replace(
        _ADAMW,
        rule="rmsprop",
        optimizer="RMSprop",
        state={"v": "exp_avg_sq"},
        numbers={**EPS, **DECAY},
        fixed={"centered": False, "initial_v": 0.0, "momentum": 0.0},
        bridge=Bridge(lambda hyper, slot: {"betas": (0.0, hyper.alpha)}),
    ),
    replace(
        _ADAMW,
        rule="schedule_free_adamw",
        optimizer="SFAdamW",
        state={"z": "z", "v": "exp_avg_sq"},
        numbers={**_ADAMW.numbers, "r": "r", "weight_lr_power": "weight_lr_power"},
        dialect=CORRECTED,
        # A warm-up begins with a rate of zero, which makes every parameter nan.
        fixed={"warmup_steps": 0},
        shared={"t": "step_count", "weight_sum": "weight_sum"},
        bridge=Bridge(leave=_largest_rate),
    ),
    # In float32 alone, as Muon's average above.
    _SCION,
    _SGD,
    *(_without_bases(optimizer, row) for optimizer, row in WITHOUT_BASES.items()),
)

# Those that are objects with a life; each counts the steps of a group.
CLASSES = ("ADOPT", "AdEMAMix", "AdamW", "LaProp", "NAdam", "RMSprop", "SGD")


def _in_sam(optimizer: torch.optim.Optimizer) -> None:
    """A step whose gradient is the same at p and away from it."""
    params = optimizer.param_groups[0]["params"]
    gradients = [param.grad for param in params]

    def closure() -> float:
        for param, grad in zip(params, gradients, strict=True):
            param.grad = grad.clone()
        return 0.0

    heavyball.SAMWrapper(params, wrapped_optimizer=optimizer).step(closure)


def _in_split(optimizer: torch.optim.Optimizer) -> None:
    params = optimizer.param_groups[0]["params"]
    heavyball.SplitOpt([{"params": params, "optimizer": lambda params: optimizer}]).step()


# What steps AdamW, by name.
WRAPPERS: Mapping[str, Callable[[torch.optim.Optimizer], None]] = {
    "SAMWrapper": _in_sam,
    "SplitOpt": _in_split,
}


class Backend(torch_like.Backend):
    """heavyball's classes, of which each group and count has its own."""

    name, library, rows = "heavyball", heavyball, ROWS
    lives = tuple(
        life(name, getattr(heavyball, name), dialect={"counts": "group"}) for name in CLASSES
    )

    def build(self, row: Row, entries: list[Named]) -> torch.optim.Optimizer:
        """Hyperparameters are arguments."""
        [entry] = entries
        params = entry.pop("params")
        dtype = str(params[0].dtype).removeprefix("torch.")
        make = getattr(heavyball, "AdamW" if row.optimizer in WRAPPERS else row.optimizer)
        optimizer: torch.optim.Optimizer = make(
            params, **{"storage_dtype": dtype, **entry, **row.options}
        )
        if row.optimizer in WITHOUT_BASES:
            gradients = [param.grad for param in params]
            optimizer.step()
            # Which the library has let go.
            for param, grad in zip(params, gradients, strict=True):
                param.grad = grad
        return optimizer

    def named(self, row: Row, optimizer: torch.optim.Optimizer) -> Row:
        """The library names a tensor of its state by the function that uses it."""

        def own(theirs: str) -> str:
            found: str = optimizer._find_val_name(theirs.removesuffix(OWN))
            return found + OWN if theirs.endswith(OWN) else found

        names = {x: y if y == REST else own(y) for x, y in row.state.items()}
        return replace(row, state=names)

    def state_of(self, optimizer: torch.optim.Optimizer, param: torch.Tensor) -> Named:
        """By parameter and view of it."""
        state: Named = optimizer.state_(param)
        return state

    def step(
        self, row: Row, optimizer: torch.optim.Optimizer, slots: Sequence[tuple[Hyper, Slot]]
    ) -> None:
        """State that has been handed over is not to be made again."""
        for param in optimizer.param_groups[0]["params"]:
            if (state := optimizer.state_(param)).keys() - {REST}:
                state.setdefault("is_initialized", set(optimizer._transform_ids))
        if row.optimizer in WRAPPERS:
            WRAPPERS[row.optimizer](optimizer)
        else:
            optimizer.step()
