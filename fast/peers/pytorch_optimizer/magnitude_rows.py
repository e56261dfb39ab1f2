"""pytorch-optimizer's rules that find the size of a step elsewhere than its direction."""

from truestep.fast.peers import torch_like
from truestep.fast.peers.pytorch_optimizer.moment_rows import decayed
from truestep.fast.peers.pytorch_optimizer.row import BETAS3, Row
from truestep.fast.peers.pytorch_optimizer.states import A2GRAD
from truestep.fast.peers.torch_like import BETAS, DECAY, EPS, MOMENTS, SEQUENTIAL

_A2GRAD = Row(
    "a2grad",
    "A2Grad",
    {"x": "x_k", "n": "avg_grad", "v": "v_k", "w": "v_kk"},
    {"beta": "beta", "lips": "lips", "rho": "rho"},
    dialect={"count": "with"},
    # It takes no rate.
    fixed={"lr": 1.0},
    bridge=A2GRAD,
    arithmetic=SEQUENTIAL,
)
_ADAMG = Row(
    "adamg",
    "AdamG",
    {"m": "m", "v": "v", "r": "r"},
    {**BETAS3, **EPS, **DECAY},
    # Arguments of the constructor alone.
    fixed={"power": 0.24, "scale": 0.2},
)
_ANO = Row("ano", "Ano", MOMENTS, {**BETAS, **EPS, **DECAY}, dialect={"eps_placement": "outside"})
_FOCUS = Row(
    "focus",
    "FOCUS",
    {"m": "exp_avg", "a": "pbar"},
    {**BETAS, "gamma": "gamma", **DECAY},
    dialect={"attraction": "of_decayed", "nan_sign": "zero"},
)

MAGNITUDE_ROWS: tuple[torch_like.Row, ...] = (
    _A2GRAD,
    _A2GRAD.but("exponential_", {"moments": "exponential"}, {"variant": "exp"}),
    _A2GRAD.but("incremental_", {"moments": "scaled"}, {"variant": "inc"}),
    *decayed(_ADAMG),
    *decayed(_ANO),
    _ANO.but("logarithmic_", {"memory": "logarithmic"}, {"logarithmic_schedule": True}),
    _FOCUS,
    Row(
        "gravity",
        "Gravity",
        {"v": "v"},
        {"beta": "beta"},
        dialect={"count": "with"},
        # Of a memory below a half, which these never have, lerp is off: see the findings.
        fixed={"beta": (0.9, 0.5, 0.99, 1.0)},
        shapes="nonempty",
    ),
    Row("msvag", "MSVAG", MOMENTS, {"beta": "beta"}),
)
