"""pytorch-optimizer's relatives of Adam: which reference rule each computes, and its options."""

from collections.abc import Iterator
from dataclasses import replace

from truestep.fast.peers import torch_like
from truestep.fast.peers.pytorch_optimizer.row import BETAS3, COUPLED, DECOUPLED, Row
from truestep.fast.peers.pytorch_optimizer.states import LAPROP, PNM, QHADAM, SIMPLIFIED_ADEMAMIX
from truestep.fast.peers.torch_like import BETAS, DECAY, EPS, MOMENTS, SEQUENTIAL, begins
from truestep.fast.peers.torch_velocities import AGGMO

UNSCALED = {**DECOUPLED, "fixed_decay": True}


def decayed(
    row: torch_like.Row, within: str = "coupled", before: str = "before"
) -> Iterator[torch_like.Row]:
    """The row with each decay: within what the step is made of, ahead of it, and without lr."""
    for prefix, decay, options in (
        ("", within, COUPLED),
        ("decoupled_", before, DECOUPLED),
        ("unscaled_", "unscaled", UNSCALED),
    ):
        yield replace(
            row,
            prefix=prefix + row.prefix,
            dialect={**row.dialect, "decay": decay},
            options={**row.options, **options},
        )


_ADAMOD = Row(
    "adamod",
    "AdaMod",
    {**MOMENTS, "limit": "exp_avg_lr"},
    {**BETAS3, **EPS, **DECAY},
    dialect={"correction": "rate"},
)
_ADOPT = Row("adopt", "ADOPT", MOMENTS, {**BETAS, **EPS, **DECAY})
_DIFFGRAD = Row(
    "diffgrad",
    "DiffGrad",
    {**MOMENTS, "previous": "previous_grad"},
    {**BETAS, **EPS, **DECAY},
    dialect={"eps_placement": "before_correction"},
)
_GROKFAST = Row(
    "grokfast_adamw",
    "GrokFastAdamW",
    {**MOMENTS, "slow": "grok_exp_avg"},
    {**BETAS, "alpha": "grokfast_alpha", "amplification": "grokfast_lamb", **EPS, **DECAY},
    dialect={"eps_placement": "floor", "rate": "normalized"},
    # It keeps no slow part that it does not amplify.
    fixed={"amplification": (2.0, 5.0, 0.3)},
    fresh=begins,
)
_LAPROP = Row(
    "laprop",
    "LaProp",
    MOMENTS,
    {**BETAS, **EPS, **DECAY},
    dialect={"decay": "after", "eps_placement": "before_correction", "rate": "inside"},
    bridge=LAPROP,
)
_MADGRAD = Row(
    "madgrad",
    "MADGRAD",
    {"s": "s", "v": "grad_sum_sq", "p0": "x0"},
    {"momentum": "momentum", **EPS, **DECAY},
    dialect={"guard": "still", "rate": "with_eps_but_zero"},
    # Without momentum there is no first point.
    fixed={"momentum": (0.9, 0.5)},
    # It counts the steps of all groups at once.
    shared={},
    key=lambda hyper, slot: int(slot.state["t"]),
    counter="",
)
_NOVOGRAD = Row(
    "novograd",
    "NovoGrad",
    {"m": "moments", "v": "grads_ema"},
    {**BETAS, **EPS, **DECAY},
    # It makes its state of the first gradient.
    fresh=begins,
    arithmetic=SEQUENTIAL,
)

_QHADAM = Row(
    "qhadam",
    "QHAdam",
    MOMENTS,
    {**BETAS, "nu1": "nus", "nu2": "nus", **EPS, **DECAY},
    dialect={"bias_correction": "in_average"},
    bridge=QHADAM,
    arithmetic={"float32": "float32_hyper"},
)
_ADABOUND = Row(
    "adabound",
    "AdaBound",
    MOMENTS,
    {**BETAS, "final_lr": "final_lr", "gamma": "gamma", **EPS, **DECAY},
    # Of a rate of 0 it knows no first rate, to which its bounds are in proportion.
    fixed={"lr": (1e-3, 0.1, 1.3)},
)
_AGGMO = Row(
    "aggmo",
    "AggMo",
    {},
    {"beta1": "betas", "beta2": "betas", "beta3": "betas", **DECAY},
    # Two that are equal share a velocity: see the findings.
    fixed={"beta1": (0.0, 0.5), "beta2": (0.9, 0.3), "beta3": (0.99, 0.999)},
    bridge=AGGMO,
)

MOMENT_ROWS: tuple[torch_like.Row, ...] = (
    *decayed(_ADABOUND),
    # Where the 1e-15 that the library adds inside the root is less than a rounding.
    _ADABOUND.but(
        "large_eps_", {"decay": "coupled"}, COUPLED, fixed={**_ADABOUND.fixed, "eps": 1.0}
    ),
    *decayed(
        replace(
            _ADABOUND,
            state={**MOMENTS, "v_max": "max_exp_avg_sq"},
            prefix="amsbound_",
            dialect={"maximum": "kept"},
            options={"ams_bound": True},
        )
    ),
    *decayed(
        Row(
            "adabelief",
            "AdaBelief",
            {"m": "exp_avg", "v": "exp_avg_var"},
            {**BETAS, **EPS, **DECAY},
        )
    ),
    *decayed(_ADAMOD),
    *decayed(_ADOPT, before="before_all"),
    *decayed(_AGGMO),
    _AGGMO.but("equal_", fixed={"beta1": 0.9, "beta2": 0.9, "beta3": 0.99}),
    *decayed(_DIFFGRAD),
    _DIFFGRAD.but("large_eps_", {"decay": "coupled"}, COUPLED, fixed={"eps": 1.0}),
    Row("fromage", "Fromage", dialect={"guard": "positive"}, arithmetic=SEQUENTIAL),
    Row("grams", "Grams", MOMENTS, {**BETAS, **EPS, **DECAY}),
    _GROKFAST,
    _GROKFAST.but("plain_", {"rate": "plain"}, {"normalize_lr": False}),
    _GROKFAST.but("unscaled_", {"decay": "unscaled"}, {"fixed_decay": True}),
    _ADOPT.but("unclipped_", {"clip": "none"}, {"clip_lambda": None}),
    _LAPROP,
    # Where the 1e-15 that the library adds inside the root is less than a rounding.
    _LAPROP.but("large_eps_", fixed={"eps": 1.0}),
    _MADGRAD,
    _MADGRAD.but("decoupled_", {"decay": "decoupled"}, DECOUPLED),
    _MADGRAD.but("without_momentum_", {"start": "recovered"}, fixed={"momentum": 0.0}),
    *decayed(_NOVOGRAD, within="in_momentum"),
    _NOVOGRAD.but("averaged_", {"form": "average_later"}, {"grad_averaging": True}),
    *decayed(
        Row(
            "padam",
            "PAdam",
            MOMENTS,
            {**BETAS, "partial": "partial", **EPS, **DECAY},
            dialect={"bias_correction": "rate", "maximum": "none"},
            # It refuses a power of 0.
            fixed={"partial": (0.125, 0.25, 0.3, 0.5)},
        )
    ),
    *decayed(
        Row(
            "pnm",
            "PNM",
            {},
            {"beta1": "betas", "beta0": "betas", **DECAY},
            fixed={"beta0": (1.0, 0.3)},
            bridge=PNM,
            # lerp takes its weight in float32, and one minus it too.
            arithmetic={"float32": "float32_hyper"},
        )
    ),
    *decayed(_QHADAM),
    *decayed(
        Row("qhm", "QHM", {"m": "momentum_buffer"}, {"momentum": "momentum", "nu": "nu", **DECAY})
    ),
    *decayed(
        Row(
            "simplified_ademamix",
            "SimplifiedAdEMAMix",
            MOMENTS,
            {**BETAS, "alpha": "alpha", **EPS, **DECAY},
            dialect={"correction": "twice", "momentum": "average"},
            bridge=SIMPLIFIED_ADEMAMIX,
        )
    ),
    *decayed(
        Row(
            "yogi",
            "Yogi",
            MOMENTS,
            {**BETAS, "initial": "initial_accumulator", **EPS, **DECAY},
            dialect={"bias_correction": "both", "start": "both"},
        )
    ),
)
