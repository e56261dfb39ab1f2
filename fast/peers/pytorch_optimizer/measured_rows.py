"""pytorch-optimizer's rules that hold a gradient against numbers of its tensor."""

from dataclasses import replace

from truestep.fast.peers import torch_like
from truestep.fast.peers.pytorch_optimizer.moment_rows import decayed
from truestep.fast.peers.pytorch_optimizer.row import BY_GROUP, COUPLED, Row
from truestep.fast.peers.pytorch_optimizer.states import ADASHIFT
from truestep.fast.peers.torch_like import BETAS, DECAY, EPS, MOMENTS, SEQUENTIAL, begins, each

_ADAGC = Row(
    "adagc",
    "AdaGC",
    {**MOMENTS, "gamma": "gamma"},
    {
        **BETAS,
        "beta": "beta",
        "lambda_abs": "lambda_abs",
        "lambda_rel": "lambda_rel",
        "warmup_steps": "warmup_steps",
        **EPS,
        **DECAY,
    },
    dialect={"guard": "eps"},
    # It makes the first limit of the first gradient, and its norm is that of all tensors.
    fresh=begins,
    key=each,
    arithmetic=SEQUENTIAL,
)
_ADAMS = Row(
    "adams",
    "AdamS",
    MOMENTS,
    {**BETAS, **EPS, **DECAY},
    dialect={"guard": "eps"},
    # The mean is over all tensors.
    key=each,
    shapes="nonempty",
    arithmetic=SEQUENTIAL,
)
_ADASHIFT = Row(
    "adashift",
    "AdaShift",
    MOMENTS,
    {**BETAS, "keep_num": "keep_num", **EPS},
    bridge=ADASHIFT,
    shapes="nonempty",
)
_AIDA = Row(
    "aida",
    "Aida",
    {"m": "exp_avg", "v": "exp_avg_var"},
    {**BETAS, "k": "k", **EPS, **DECAY},
    dialect={"root": "guarded"},
    arithmetic=SEQUENTIAL,
)
_AMOS = Row(
    "amos",
    "Amos",
    {"v": "exp_avg_sq", "b": "decay"},
    {
        "beta": "beta",
        "momentum": "momentum",
        "c_coef": "c_coef",
        "d_coef": "d_coef",
        **EPS,
        "weight_decay": "extra_l2",
    },
    dialect={"guard": "added", "pull": "grows", "scale": "of_shape"},
    fixed={"eta": 1.0, "momentum": 0.0},
    shapes="nonempty",
    arithmetic=SEQUENTIAL,
)
_AVAGRAD = Row(
    "avagrad",
    "AvaGrad",
    MOMENTS,
    {**BETAS, **EPS, **DECAY},
    dialect={"rates": "last"},
    # The mean is over all tensors of a group.
    shared={**BY_GROUP, "gamma": "gamma"},
    key=each,
    shapes="nonempty",
    arithmetic=SEQUENTIAL,
)
_SGD_SAI = Row(
    "sgd_sai",
    "SGDSaI",
    {"m": "momentum_buffer", "r": "gsnr"},
    {"momentum": "momentum", **EPS, **DECAY},
    dialect={"noise": "of_matrices", "start": "zero"},
    # Without momentum it keeps no average.
    fixed={"momentum": (0.9, 0.5, 0.99)},
    fresh=begins,
    arithmetic=SEQUENTIAL,
)
_VSGD = Row(
    "vsgd",
    "VSGD",
    {"m": "mug", "b": "bg", "c": "bhg"},
    {"ratio": "ghattg", "prior": "ps", "tau1": "tau1", "tau2": "tau2", **EPS, **DECAY},
    fresh=begins,
)

MEASURED_ROWS: tuple[torch_like.Row, ...] = (
    *decayed(_ADAGC),
    *decayed(_ADAMS),
    _ADASHIFT,
    _ADASHIFT.but("own_", {"squares": "own"}, {"reduce_func": None}),
    *decayed(_AIDA),
    _AMOS,
    replace(
        _AMOS,
        prefix="averaged_",
        state={**_AMOS.state, "m": "exp_avg"},
        fixed={**_AMOS.fixed, "momentum": (0.9, 0.5)},
    ),
    *decayed(_AVAGRAD),
    Row(
        "fadam",
        "FAdam",
        {"m": "momentum", "f": "fim"},
        {**BETAS, **EPS, "eps2": "eps_2", "clip": "clip", **DECAY},
        arithmetic=SEQUENTIAL,
    ),
    _SGD_SAI,
    _VSGD,
    _VSGD.but("coupled_", {"decay": "coupled"}, COUPLED),
)
