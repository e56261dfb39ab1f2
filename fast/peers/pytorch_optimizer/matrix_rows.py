"""pytorch-optimizer's optimizers of matrices: Shampoos, SOAP, Muon, and low-rank projections."""

from dataclasses import replace

from pytorch_optimizer.optimizer.scion import LMONorm

from truestep.fast.peers import torch_like
from truestep.fast.peers.pytorch_optimizer.matrices import (
    ADAMUON,
    DISTRIBUTED_SHAMPOO,
    MUON,
    SCION,
    SOAP,
)
from truestep.fast.peers.pytorch_optimizer.projectors import APOLLO, GALORE
from truestep.fast.peers.pytorch_optimizer.row import ALONE, COUPLED, DECOUPLED, NAN_SIGN, Row
from truestep.fast.peers.torch_like import BETAS, DECAY, EPS, LISTS, MOMENTS, SEQUENTIAL, begins
from truestep.fast.peers.torch_matrices import shampoo
from truestep.reference.optimizers import apollo

_APOLLO = Row(
    "apollo",
    "APOLLO",
    MOMENTS,
    {**BETAS, "rank": "rank", "scale": "scale", "update_gap": "update_proj_gap", **EPS, **DECAY},
    dialect={"correction": "last", "guard": "eps", "scale_placement": "after"},
    options={"projection_type": "std", "scale_type": "channel"},
    # Projections are handed over, and never drawn.
    fixed={"growth": 1.01, "rank": 4, "update_gap": apollo.NEVER},
    # Lists are of tensors that are not projected.
    paths=ALONE,
    bridge=APOLLO,
    shapes="nonempty",
    arithmetic=SEQUENTIAL,
)
_DISTRIBUTED_SHAMPOO = Row(
    "distributed_shampoo",
    "ScalableShampoo",
    {"b": "momentum"},
    {
        "momentum": "betas",
        "beta2": "betas",
        "eps": "matrix_eps",
        "graft_eps": "diagonal_eps",
        "precondition_frequency": "preconditioning_compute_steps",
        "nesterov": "nesterov",
        **DECAY,
    },
    dialect={
        "bias_correction": "none",
        "buffers": "two",
        "graft": "sgd",
        "ridge": "initial",
        "spectrum": "as_found",
        "timing": "multiples",
        "vectors": "grafted",
    },
    # Roots by decomposition, of whole axes.
    options={"block_size": 0, "shape_interpretation": False, "use_svd": True},
    fixed={"beta1": 0.0, "dampening": 0.0},
    paths=ALONE,
    bridge=DISTRIBUTED_SHAMPOO,
    shapes="nonempty",
    arithmetic=SEQUENTIAL,
)
_GALORE = Row(
    "galore",
    "GaLore",
    MOMENTS,
    {**BETAS, "rank": "rank", "scale": "scale", "update_gap": "update_proj_gap", **EPS, **DECAY},
    prefix="std_",
    dialect={
        "decay": "shrunk",
        "eps_placement": "before_correction",
        "refresh": "multiples",
        "side": "smaller",
    },
    options={"projection_type": "std"},
    fixed={"rank": 2},
    # Lists are of tensors that are not projected.
    paths=ALONE,
    bridge=GALORE,
    shapes="nonempty",
)
_MUON = Row(
    "muon",
    "Muon",
    {"b": "momentum_buffer"},
    {
        "momentum": "momentum",
        "nesterov": "nesterov",
        "ns_a": "ns_coeffs",
        "ns_b": "ns_coeffs",
        "ns_c": "ns_coeffs",
        "ns_steps": "ns_steps",
        **DECAY,
    },
    dialect={"momentum_form": "ema", "norm_guard": "floor", "scale": "tall"},
    fixed={"eps": 1e-7, "rms": 0.2},
    bridge=MUON,
    shapes="matrices",
    arithmetic={"float32": "bfloat16_newton_schulz"},
)
_ADAMUON = Row(
    "adamuon",
    "AdaMuon",
    {"b": "m"},
    {
        "momentum": "betas",
        "beta2": "betas",
        "ns_a": "ns_coeffs",
        "ns_b": "ns_coeffs",
        "ns_c": "ns_coeffs",
        "ns_steps": "ns_steps",
        **EPS,
        **DECAY,
    },
    dialect={
        "bias_correction": "second",
        "length_guard": "added",
        "momentum_form": "ema",
        "norm_guard": "floor",
        "stabilization": "none",
    },
    fixed={"nesterov": False, "ns_eps": 1e-7, "rms": 0.2},
    bridge=ADAMUON,
    shapes="matrices",
    arithmetic={"float32": "bfloat16_newton_schulz"},
)
_NORMUON = Row(
    "normuon",
    "NorMuon",
    {"b": "momentum_buffer", "v": "second_momentum_buffer"},
    {**_MUON.numbers, "beta2": "beta2", **EPS},
    dialect={"length": "kept_tall", "length_guard": "added", "norm_guard": "floor"},
    fixed={"ns_eps": 1e-7, "rms": 0.2},
    bridge=MUON,
    shapes="matrices",
    arithmetic={"float32": "bfloat16_newton_schulz"},
)
_SCION = Row(
    "scion",
    "SCION",
    {"d": "d"},
    DECAY,
    prefix="row_",
    dialect={"norm": "row"},
    options={"norm_type": LMONorm.ROW},
    # Its eps is 1e-8.
    fixed={"eps": 1e-8, "max_scale": False},
    bridge=SCION,
    shapes="matrices",
    arithmetic=SEQUENTIAL,
)
_SPECTRAL = replace(
    _SCION,
    prefix="spectral_",
    dialect={"norm": "spectral", "norm_guard": "floor"},
    options={"norm_type": LMONorm.SPECTRAL},
    fixed={"ns_a": 3.4445, "ns_b": -4.775, "ns_c": 2.0315, "ns_eps": 1e-7, "ns_steps": 5},
    arithmetic={"float32": "bfloat16_newton_schulz"},
)
_SHAMPOO = Row(
    "shampoo",
    "Shampoo",
    {"m": "momentum_buffer"},
    {
        "momentum": "momentum",
        "eps": "matrix_eps",
        "precondition_frequency": "preconditioning_compute_steps",
        **DECAY,
    },
    dialect={"momentum_form": "fed_back", "spectrum": "as_found", "timing": "multiples"},
    fixed={"maximize": False},
    # lerp takes the momentum in float32, and one minus it too.
    arithmetic={"float32": "float32_hyper"},
    paths=ALONE,
    fresh=begins,
    bridge=shampoo("pre_cond"),
    shapes="nonempty",
)
_SOAP = Row(
    "soap",
    "SOAP",
    MOMENTS,
    {
        **BETAS,
        "shampoo_beta": "shampoo_beta",
        "precondition_frequency": "precondition_frequency",
        "max_dim": "max_precondition_dim",
        **EPS,
        **DECAY,
    },
    dialect={"eps_placement": "before_correction", "order": "sorted"},
    paths=ALONE,
    fresh=begins,
    bridge=SOAP,
    shapes="nonempty",
)

MATRIX_ROWS: tuple[torch_like.Row, ...] = (
    _ADAMUON,
    replace(_ADAMUON.but("coupled_", {"decay": "coupled"}, COUPLED), paths=ALONE),
    replace(_ADAMUON.but("tall_", {"length": "tall"}, {"use_adjusted_lr": False}), paths=ALONE),
    _APOLLO,
    _APOLLO.but(
        "mini_",
        {"scaling": "tensor"},
        {"projection_type": "std", "scale_type": "tensor"},
        fixed={**_APOLLO.fixed, "rank": 1, "scale": 128.0},
    ),
    _DISTRIBUTED_SHAMPOO,
    _DISTRIBUTED_SHAMPOO.but("adagrad_", {"graft": "adagrad"}, {"graft_type": 2}),
    _DISTRIBUTED_SHAMPOO.but(
        "averaged_",
        options={"moving_average_for_momentum": True},
        # (1 - beta1) weighs what is averaged.
        fixed={"beta1": 0.0, "dampening": 0.9, "momentum": 0.9},
    ),
    _DISTRIBUTED_SHAMPOO.but("decoupled_", {"decay": "before"}, {"decoupled_weight_decay": True}),
    replace(
        _DISTRIBUTED_SHAMPOO.but("order_", {"exponent": "order"}, {"inverse_exponent_override": 2}),
        # The override is the number of axes of matrices alone.
        shapes="matrices",
    ),
    _DISTRIBUTED_SHAMPOO.but(
        "rmsprop_",
        {"graft": "rmsprop"},
        {"graft_type": 3},
        # Both are one argument.
        fixed={**_DISTRIBUTED_SHAMPOO.fixed, "beta2": 0.99, "graft_beta2": 0.99},
    ),
    _DISTRIBUTED_SHAMPOO.but("sign_", {**NAN_SIGN, "graft": "sign"}, {"graft_type": 4}),
    _DISTRIBUTED_SHAMPOO.but("ungrafted_", {"graft": "none"}, {"graft_type": 0}),
    *(
        _GALORE.but(f"{kind}_", {"side": side}, {"projection_type": kind})
        for kind, side in (
            ("full", "both"),
            ("left", "left"),
            ("reverse_std", "larger"),
            ("right", "right"),
        )
    ),
    replace(_GALORE, paths=LISTS),
    _GALORE.but("std_full_rank_", fixed={"rank": 128}),
    _GALORE.but("std_often_", fixed={"rank": 2, "update_gap": 3}),
    _MUON,
    _MUON.but("adjusted_", {"scale": "rms"}, {"use_adjusted_lr": True}),
    # Without the logits of attention, of which it would clip the weights after this step.
    replace(
        _MUON,
        optimizer="MuonClip",
        numbers={ours: theirs for ours, theirs in _MUON.numbers.items() if ours != "nesterov"},
        prefix="clip_",
        dialect={"norm_guard": "floor", "scale": "rms"},
        fixed={**_MUON.fixed, "nesterov": False},
    ),
    *(
        replace(
            _MUON.but(f"{theirs}_", {"coefficients": ours}, {"ns_coeffs": theirs}),
            numbers={name: x for name, x in _MUON.numbers.items() if x != "ns_coeffs"},
            paths=ALONE,
        )
        for theirs, ours in (
            ("quintic", "quintic"),
            ("polar_express", "polar_express_1e-2"),
            ("polar_express_safer", "polar_express_2e-2"),
        )
    ),
    _NORMUON,
    replace(
        _NORMUON.but("adjusted_", {"length": "kept_rms"}, {"use_adjusted_lr": True}), paths=ALONE
    ),
    replace(_NORMUON.but("coupled_", {"decay": "coupled"}, COUPLED), paths=ALONE),
    replace(_NORMUON.but("rms_", {"length": "rms"}, {"update_scale": "match_rms"}), paths=ALONE),
    _SCION,
    _SCION.but("column_", {"norm": "column"}, {"norm_type": LMONorm.COL}),
    _SCION.but("coupled_row_", {"decay": "coupled"}, COUPLED),
    _SCION.but(
        "sign_", {**NAN_SIGN, "norm": "sign"}, {"norm_type": LMONorm.SIGN}, fixed={"eps": 1e-8}
    ),
    replace(
        _SCION.but(
            "held_row_", options={"constraint": True}, fixed={**_SCION.fixed, "weight_decay": 1.0}
        ),
        numbers={},
    ),
    _SPECTRAL,
    _SHAMPOO,
    _SHAMPOO.but("decoupled_", {"decay": "before"}, DECOUPLED),
    _SHAMPOO.but("maximizing_", fixed={"eps": 1e-2, "maximize": True}),
    _SOAP,
    _SOAP.but("normalized_", {"normalization": "rms_eps"}, {"normalize_gradient": True}),
)
