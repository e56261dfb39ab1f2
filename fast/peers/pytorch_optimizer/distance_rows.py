"""pytorch-optimizer's optimizers that find their rate by D-Adaptation, but for Adam's.

Their decay apart from the gradient has no row: see the findings.
"""

from dataclasses import replace

from truestep.fast.peers import torch_like
from truestep.fast.peers.pytorch_optimizer.row import BETAS3, COUPLED, DECOUPLED, NAN_SIGN, Row
from truestep.fast.peers.pytorch_optimizer.states import (
    DADAPT_ADAGRAD,
    DADAPT_ADAN,
    DADAPT_LION,
    DADAPT_SGD,
)
from truestep.fast.peers.torch_like import BETAS, DECAY, EPS, SEQUENTIAL, begins

_GROWING = {"growth_rate": "growth_rate"}
_IGNORED = {"nan_estimate": "ignored"}
_LIMITED = {"growth": "limited"}


def _limited(row: torch_like.Row) -> torch_like.Row:
    """With a limit to the estimate's growth."""
    return replace(row.but("limited_", _LIMITED), numbers={**row.numbers, **_GROWING})


_ADAGRAD = Row(
    "dadapt_adagrad",
    "DAdaptAdaGrad",
    {"a": "alpha_k", "s": "sk", "p0": "x0"},
    {"beta": "momentum", "d0": "d0", **EPS, **DECAY},
    dialect={"sums": "kept", **_IGNORED},
    fixed={"initial_total": 1e-6},
    bridge=DADAPT_ADAGRAD,
    single=True,
    arithmetic=SEQUENTIAL,
)
_ADAN = Row(
    "dadapt_adan",
    "DAdaptAdan",
    {
        "m": "exp_avg",
        "v": "exp_avg_diff",
        "n": "exp_avg_sq",
        "s": "s",
        "previous": "-previous_grad",
    },
    {**BETAS3, "d0": "d0", **EPS, **DECAY},
    dialect={"difference": "repeated", **_IGNORED},
    fixed={"maximize": False},
    fresh=begins,
    bridge=DADAPT_ADAN,
    single=True,
    arithmetic=SEQUENTIAL,
)
_LION = Row(
    "dadapt_lion",
    "DAdaptLion",
    {"m": "exp_avg", "s": "s"},
    {**BETAS, "d0": "d0", **DECAY},
    dialect=NAN_SIGN,
    options=DECOUPLED,
    bridge=DADAPT_LION,
    single=True,
    arithmetic=SEQUENTIAL,
)
_SGD = Row(
    "dadapt_sgd",
    "DAdaptSGD",
    {"s": "s", "p0": "x0"},
    {"beta": "momentum", "d0": "d0", **DECAY},
    dialect=_IGNORED,
    bridge=DADAPT_SGD,
    single=True,
    arithmetic=SEQUENTIAL,
)

DISTANCE_ROWS: tuple[torch_like.Row, ...] = (
    _ADAGRAD,
    _limited(_ADAGRAD),
    _ADAN,
    _ADAN.but("decoupled_", {"decay": "before"}, DECOUPLED),
    _ADAN.but("maximizing_", fixed={"maximize": True}),
    _LION,
    _LION.but("coupled_", {"decay": "coupled"}, COUPLED),
    _LION.but("unscaled_", {"decay": "unscaled"}, {"fixed_decay": True}),
    _SGD,
    _limited(_SGD),
)
