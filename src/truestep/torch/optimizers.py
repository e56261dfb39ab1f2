"""The optimizer classes. One exists for every row whose rule has a kernel in csrc/rules."""

from truestep.torch.optimizer import Optimizer
from truestep.torch.rows import Row

_BETAS = (0.9, 0.999)
_MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq"}
_TWO = {"betas": ("beta1", "beta2")}


class Adagrad(Optimizer):
    """AdaGrad, as torch.optim.Adagrad."""

    row = Row(
        "adagrad",
        {
            "lr": 1e-2, "lr_decay": 0.0, "weight_decay": 0.0, "initial_accumulator_value": 0.0,
            "eps": 1e-10,
        },
        {"total": "sum"},
        renamed={"initial_accumulator_value": ("initial_total",)},
        start={"total": "initial_accumulator_value"},
    )  # fmt: skip


class Adam(Optimizer):
    """Adam, as torch.optim.Adam: weight decay is part of the gradient."""

    row = Row(
        "adam",
        {"lr": 1e-3, "betas": _BETAS, "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False},
        _MOMENTS,
        renamed=_TWO,
        refused=("amsgrad",),
    )


class AdamW(Optimizer):
    """AdamW, as torch.optim.AdamW."""

    row = Row(
        "adamw",
        {"lr": 1e-3, "betas": _BETAS, "eps": 1e-8, "weight_decay": 1e-2, "amsgrad": False},
        _MOMENTS,
        dialect={"decay": "before"},
        renamed=_TWO,
        refused=("amsgrad",),
    )


class AdEMAMix(Optimizer):
    """AdEMAMix, with the arguments of its authors' code."""

    row = Row(
        "ademamix",
        {
            "lr": 1e-3, "betas": (0.9, 0.999, 0.9999), "alpha": 5.0, "beta3_warmup": None,
            "alpha_warmup": None, "eps": 1e-8, "weight_decay": 0.0,
        },
        {"m1": "exp_avg_fast", "m2": "exp_avg_slow", "v": "exp_avg_sq"},
        renamed={"betas": ("beta1", "beta2", "beta3")},
    )  # fmt: skip


class LAMB(Optimizer):
    """LAMB of You et al.; the trust ratio is 1 where a norm is zero, or zeros would stay zeros."""

    row = Row(
        "lamb",
        {
            "lr": 1e-3, "betas": _BETAS, "eps": 1e-6, "weight_decay": 1e-2,
            "bias_correction": True,
        },
        _MOMENTS,
        dialect={"guard": "one"},
        renamed=_TWO,
        choices={"bias_correction": {False: "none", True: "both"}},
    )  # fmt: skip


class LARS(Optimizer):
    """LARS of You et al.; the trust ratio is 1 where a norm is zero, or zeros would stay zeros."""

    row = Row(
        "lars",
        {"lr": 1.0, "momentum": 0.9, "trust_coefficient": 1e-3, "weight_decay": 0.0, "eps": 0.0},
        {"b": "momentum_buffer"},
        dialect={"guard": "one"},
    )


class Lion(Optimizer):
    """Lion, with the arguments of its authors' code."""

    row = Row(
        "lion",
        {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.0},
        {"m": "exp_avg"},
        renamed=_TWO,
    )


class RMSprop(Optimizer):
    """RMSProp, as torch.optim.RMSprop."""

    row = Row(
        "rmsprop",
        {
            "lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0,
            "centered": False,
        },
        {"v": "square_avg", "mean": "grad_avg", "b": "momentum_buffer"},
    )  # fmt: skip


class SGD(Optimizer):
    """SGD with momentum, as torch.optim.SGD without nesterov."""

    row = Row(
        "sgd",
        {"lr": 1e-3, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False},
        {"b": "momentum_buffer"},
        refused=("nesterov",),
    )
