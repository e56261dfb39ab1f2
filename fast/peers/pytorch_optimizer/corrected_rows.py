"""pytorch-optimizer's optimizers that steer by differences of gradients, norms or ways."""

from truestep.fast.peers import torch_like
from truestep.fast.peers.pytorch_optimizer.moment_rows import decayed
from truestep.fast.peers.pytorch_optimizer.row import DECOUPLED, NAN_SIGN, Row
from truestep.fast.peers.pytorch_optimizer.states import ADANORM, ADAPNM
from truestep.fast.peers.torch_like import BETAS, DECAY, EPS, MOMENTS, SEQUENTIAL

_PROJECTED = {"delta": "delta", "nesterov": "nesterov", "wd_ratio": "wd_ratio", **EPS, **DECAY}
_BEFORE = {"eps_placement": "before_correction"}
# Whatever its name says, unless it is asked to be normalized: see the findings.
_ADAMC = Row(
    "adamw",
    "AdamC",
    MOMENTS,
    {**BETAS, **EPS, **DECAY},
    prefix="adamc_",
    dialect={"decay": "before", **_BEFORE},
)
_ADANORM = Row(
    "adanorm",
    "AdaNorm",
    {"m": "exp_avg", "v": "exp_avg_var", "e": "exp_grad_norm"},
    {**BETAS, "r": "r", **EPS, **DECAY},
    dialect=_BEFORE,
    bridge=ADANORM,
    arithmetic=SEQUENTIAL,
)
_ADAPNM = Row(
    "adapnm",
    "AdaPNM",
    {"v": "exp_avg_sq", "v_max": "max_exp_avg_sq"},
    {"beta1": "betas", "beta2": "betas", "beta0": "betas", **EPS, **DECAY},
    dialect=_BEFORE,
    # It refuses a weight above 1.
    fixed={"beta0": (1.0, 0.3)},
    bridge=ADAPNM,
    # lerp takes its weight in float32, and one minus it too.
    arithmetic={"float32": "float32_hyper"},
)
_MARS = Row(
    "mars",
    "MARS",
    {**MOMENTS, "previous": "last_grad"},
    {**BETAS, "gamma": "gamma", **EPS, **DECAY},
    dialect=_BEFORE,
    # Else vectors take a step of AdamW.
    options={"optimize_1d": True},
    # Of a rate of 0 it makes none: see the findings.
    fixed={"lr": (1e-3, 0.1, 1.3)},
    arithmetic=SEQUENTIAL,
)

CORRECTED_ROWS: tuple[torch_like.Row, ...] = (
    Row(
        "accsgd",
        "AccSGD",
        {"b": "momentum_buffer"},
        {"constant": "constant", "kappa": "kappa", "xi": "xi", **DECAY},
    ),
    _ADAMC,
    # Where the 1e-15 that the library adds inside the root is less than a rounding.
    _ADAMC.but("large_eps_adamc_", fixed={"eps": 16.0}),
    _ADAMC.but("unscaled_adamc_", {"decay": "unscaled"}, {"fixed_decay": True}),
    *decayed(
        Row(
            "adamp",
            "AdamP",
            MOMENTS,
            {**BETAS, **_PROJECTED},
            dialect=_BEFORE,
            shapes="nonempty",
            # It refuses views: see the findings.
            given="copies",
            arithmetic=SEQUENTIAL,
        )
    ),
    *decayed(_ADANORM),
    _ADANORM.but("large_eps_", {"decay": "before"}, DECOUPLED, fixed={"eps": 16.0}),
    *decayed(_ADAPNM),
    _ADAPNM.but("large_eps_", {"decay": "before"}, DECOUPLED, fixed={**_ADAPNM.fixed, "eps": 16.0}),
    *decayed(
        Row(
            "adasmooth",
            "AdaSmooth",
            {"previous": "prev_param", "s": "s", "n": "n", "v": "exp_avg_sq"},
            {**BETAS, **EPS, **DECAY},
        )
    ),
    *decayed(
        Row("exadam", "EXAdam", MOMENTS, {**BETAS, **EPS, **DECAY}, dialect={"rate": "plain"})
    ),
    *decayed(Row("kate", "Kate", {"m": "m", "b": "b"}, {"delta": "delta", **EPS, **DECAY})),
    _MARS,
    _MARS.but("large_eps_", fixed={**_MARS.fixed, "eps": 16.0}),
    _MARS.but(
        "sign_", {**NAN_SIGN, "direction": "sign"}, {"mars_type": "lion", "optimize_1d": True}
    ),
    _MARS.but("unscaled_", {"decay": "unscaled"}, {"fixed_decay": True, "optimize_1d": True}),
    *decayed(
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
            # Without momentum there are no buffers.
            fixed={"momentum": (0.9, 0.5, 0.99)},
        )
    ),
    *decayed(
        Row(
            "sgdp",
            "SGDP",
            {"b": "momentum"},
            {"dampening": "dampening", "momentum": "momentum", **_PROJECTED},
            shapes="nonempty",
            # It refuses views: see the findings.
            given="copies",
            arithmetic=SEQUENTIAL,
        )
    ),
)
