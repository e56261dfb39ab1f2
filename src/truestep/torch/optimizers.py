"""The optimizer classes. OPTIMIZERS has those whose rule has a kernel."""

from dataclasses import replace

from truestep.torch.adafactor import Adafactor
from truestep.torch.base import Base
from truestep.torch.muon import Muon
from truestep.torch.optimizer import Optimizer
from truestep.torch.rows import Row, Stepping, offered

_ADAM = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False}
_BETAS = {"betas": ("beta1", "beta2")}
_MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq"}
_AMSGRAD = Stepping("amsgrad", {**_MOMENTS, "v_max": "max_exp_avg_sq"}, {"bias_correction": "both"})


class Adagrad(Optimizer):
    """AdaGrad, as torch.optim.Adagrad."""

    row = Row(
        Stepping("adagrad", {"total": "sum"}, start={"total": "initial_accumulator_value"}),
        {
            "lr": 1e-2,
            "lr_decay": 0.0,
            "weight_decay": 0.0,
            "initial_accumulator_value": 0.0,
            "eps": 1e-10,
        },
        renamed={"initial_accumulator_value": ("initial_total",)},
    )


class Adam(Optimizer):
    """Adam, as torch.optim.Adam: weight decay is part of the gradient."""

    row = Row(Stepping("adam", _MOMENTS), _ADAM, _BETAS, switches={"amsgrad": _AMSGRAD})


class AdamW(Optimizer):
    """AdamW, as torch.optim.AdamW."""

    row = Row(
        Stepping("adamw", _MOMENTS, {"decay": "before"}),
        {**_ADAM, "weight_decay": 1e-2},
        _BETAS,
        switches={"amsgrad": replace(_AMSGRAD, dialect={**_AMSGRAD.dialect, "decay": "before"})},
    )


class AdEMAMix(Optimizer):
    """AdEMAMix, with the arguments of its authors' code."""

    row = Row(
        Stepping("ademamix", {"m1": "exp_avg_fast", "m2": "exp_avg_slow", "v": "exp_avg_sq"}),
        {
            "lr": 1e-3,
            "betas": (0.9, 0.999, 0.9999),
            "alpha": 5.0,
            "beta3_warmup": None,
            "alpha_warmup": None,
            "eps": 1e-8,
            "weight_decay": 0.0,
        },
        {"betas": ("beta1", "beta2", "beta3")},
    )


class LAMB(Optimizer):
    """LAMB of You et al. 2020; the trust ratio is 1 where a norm is zero, so that zeros move."""

    row = Row(
        Stepping("lamb", _MOMENTS, {"guard": "one"}),
        {
            "lr": 1e-3,
            "betas": (0.9, 0.999),
            "eps": 1e-6,
            "weight_decay": 1e-2,
            "bias_correction": True,
        },
        _BETAS,
        choices={"bias_correction": {False: "none", True: "both"}},
    )


class LARS(Optimizer):
    """LARS of You et al. 2017; the trust ratio is 1 where a norm is zero, so that zeros move."""

    row = Row(
        Stepping("lars", {"b": "momentum_buffer"}, {"guard": "one"}),
        {"lr": 1.0, "momentum": 0.9, "trust_coefficient": 1e-3, "weight_decay": 0.0, "eps": 0.0},
    )


class Lion(Optimizer):
    """Lion, with the arguments of its authors' code."""

    row = Row(
        Stepping("lion", {"m": "exp_avg"}),
        {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.0},
        _BETAS,
    )


class RMSprop(Optimizer):
    """RMSProp, as torch.optim.RMSprop."""

    row = Row(
        Stepping("rmsprop", {"v": "square_avg", "mean": "grad_avg", "b": "momentum_buffer"}),
        {
            "lr": 1e-2,
            "alpha": 0.99,
            "eps": 1e-8,
            "weight_decay": 0.0,
            "momentum": 0.0,
            "centered": False,
        },
    )


class SGD(Optimizer):
    """SGD with momentum, as torch.optim.SGD."""

    row = Row(
        Stepping("sgd", {"b": "momentum_buffer"}),
        {"lr": 1e-3, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False},
        switches={"nesterov": Stepping("nesterov", {"u": "momentum_buffer"}, {"form": "torch"})},
    )


CLASSES: tuple[type[Base], ...] = (
    Adafactor, Adagrad, Adam, AdamW, AdEMAMix, LAMB, LARS, Lion, Muon, RMSprop, SGD,
)  # fmt: skip
OPTIMIZERS: dict[str, type[Base]] = {
    made.__name__: made for made in CLASSES if made.row.stepping.rule in offered()
}
