"""torch's optimizers that have no such paths, or whose state is not laid out as most.

adafactor: root mean squares and means are taken by torch.norm, which adds one number after another.
asgd: the rate eta and the weight mu of a step are float32 tensors that the step before has left:
a step on a tensor of one element is made first. muon: iterates in bfloat16 whatever the format.
sparse: SparseAdam on sparse gradients of every row. lms, perceptron: see examples.py.
polyak_ruppert: see averaging.py.
"""

from dataclasses import replace

import numpy as np
import torch

from truestep.fast.peers.torch_like import (
    BETAS,
    DECAY,
    ELEMENTS,
    EPS,
    LISTS,
    MOMENTS,
    Bridge,
    Named,
    Row,
)
from truestep.fast.peers.torch_tensors import to_tensor
from truestep.fast.protocol import Slot
from truestep.reference.declared import Hyper

# Of norms, and of scores of one example.
SUMS = {
    "bfloat16": "bfloat16",
    "float16": "float16",
    "float32": "sequential_float32",
    "float64": "sequential_float64",
}
WIDE = {"float32": "ieee_float32", "float64": "ieee_float64"}
# What eps1 = None stands for in Adafactor: the unit of the parameter's format. Smaller numbers than
# the root of the least positive one are 0 once squared: see findings.toml.
UNITS = {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float32": 2.0**-23, "float64": 2.0**-52}
MAXIMIZE = {"maximize": "maximize"}


def _enter_scalars(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    one = to_tensor(np.zeros(1, np.float32))
    one.grad = torch.zeros(1)
    optimizer = torch.optim.ASGD([{**group, "params": [one]}])
    before = slot.state["t"] - 1
    if before:
        numbers = {"step": before, "eta": 0.0, "mu": 1.0}
        scalars = {k: torch.tensor(float(x), dtype=torch.float32) for k, x in numbers.items()}
        optimizer.state[one].update(scalars, ax=torch.zeros(1))
    optimizer.step()
    for name in ("eta", "mu"):
        x = optimizer.state[one][name].item()
        state[name] = torch.tensor(x, dtype=torch.float32)


def _count(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    # A Python number, where torch's other optimizers have a tensor.
    state["step"] = int(slot.state["t"])


def _counted(hyper: Hyper, slot: Slot) -> int:
    """Of the tensors of one model the same number of averages has been taken."""
    return int(slot.state["t"])


def _sparse(gradient: torch.Tensor) -> torch.Tensor:
    rows = torch.arange(len(gradient))[None]
    return torch.sparse_coo_tensor(rows, gradient, gradient.shape, check_invariants=True)


_ADAFACTOR = Row(
    "adafactor",
    "Adafactor",
    {"r": "row_var", "c": "col_var", "v": "variance"},
    {
        "decay_rate": "-beta2_decay",
        "eps1": "eps",
        "eps2": "eps",
        "clip_threshold": "d",
        **DECAY,
        **MAXIMIZE,
    },
    dialect={"eps_placement": "floor"},
    paths=LISTS,
    # It divides by the number of elements as a Python float.
    shapes="nonempty",
)
_ASGD = Row(
    "asgd",
    "ASGD",
    {"average": "ax"},
    {"lambd": "lambd", "alpha": "alpha", "t0": "t0", **DECAY, **MAXIMIZE},
    paths={"single": LISTS["single"]},
    arithmetic=ELEMENTS,
    bridge=Bridge(enter=_enter_scalars),
)
_MUON = Row(
    "muon",
    "Muon",
    {"b": "momentum_buffer"},
    {
        "momentum": "momentum",
        "nesterov": "nesterov",
        "eps": "eps",
        "ns_steps": "ns_steps",
        "ns_a": "ns_coefficients",
        "ns_b": "ns_coefficients",
        "ns_c": "ns_coefficients",
        **DECAY,
    },
    # The 0.2 of match_rms_adamw is no argument.
    fixed={"maximize": False, "rms": 0.2},
    arithmetic={"float32": "bfloat16_newton_schulz"},
    counter="",
    shapes="matrices",
)

OTHER_ROWS: tuple[Row, ...] = (
    *(
        replace(
            _ADAFACTOR,
            arithmetic={format: arithmetic},
            fixed={"beta2_cap": 1.0, "eps1": UNITS[format], "min_size": 0},
        )
        for format, arithmetic in SUMS.items()
    ),
    Row(
        "adam",
        "SparseAdam",
        MOMENTS,
        {**BETAS, **EPS, **MAXIMIZE},
        dialect={"decay": "before", "eps_placement": "before_correction"},
        fixed={"weight_decay": 0.0},
        paths={"sparse": {}},
        arithmetic=WIDE,
        # A number is a row of its own, as a table's single entry is. Where it is given a view of
        # one element at an offset, torch writes beyond it: see findings.toml.
        given="vectors",
        bridge=Bridge(enter=_count, gradient=_sparse),
    ),
    _ASGD,
    replace(
        _ASGD,
        dialect={"before_averaging": "moved"},
        paths={"foreach": LISTS["foreach"]},
        arithmetic={**ELEMENTS, "float32": "capturable_float32"},
    ),
    Row("lms", "mse_loss", dialect={"loss": "square"}, paths={"mse_loss": {}}, arithmetic=WIDE),
    *(
        replace(
            _MUON,
            dialect={"momentum_form": "ema", "norm_guard": "floor", "scale": scale},
            paths={variant: {"adjust_lr_fn": variant}},
        )
        for variant, scale in (("match_rms_adamw", "rms"), ("original", "tall"))
    ),
    Row(
        "perceptron",
        "margin_ranking_loss",
        dialect={"form": "factor"},
        paths={"margin_ranking_loss": {}},
        arithmetic=WIDE,
    ),
    # optimizer: the function of swa_utils that makes the average.
    *(
        Row(
            "polyak_ruppert",
            function,
            dialect={"average": average},
            paths={variant: {}},
            arithmetic=ELEMENTS,
            key=_counted,
            apart=True,
        )
        for variant, function, average in (
            ("ema_multi", "get_ema_multi_avg_fn", "exponential"),
            ("ema_single", "get_ema_avg_fn", "weighted"),
            ("swa_multi", "get_swa_multi_avg_fn", "uniform"),
            ("swa_single", "get_swa_avg_fn", "uniform"),
        )
    ),
)
