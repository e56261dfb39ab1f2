"""References in the dialects of libraries, against traces recorded from those libraries.

Nine steps from P0 with the gradients G, thrice; float64, eps large enough for its place to show.
The traces were recorded with PyTorch 2.13 (default dtype float64), optax 0.2.8, timm 1.0.31,
lion-pytorch 0.2.5, torch-optimi 0.3.3 and torch_optimizer 0.3.0, and rounded to 11 decimals;
references and libraries differed by less than 1e-13.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.reference.optimizers import OPTIMIZERS

P0 = (1.0, -2.0, 0.5, 0.0)
G = ((0.5, -1.0, 0.0, 2.0), (-0.25, 0.5, 0.0, 1e-3), (1.0, 0.0, -3.0, -2.0))

# library, rule, hyperparameters, p after nine steps
TRACES: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "torch SparseAdam",
        "adam",
        {"lr": 0.1, "eps": 0.01, "eps_placement": "before_correction"},
        "0.55653233792 -1.73398152079 0.86246846817 -0.19574414439",
    ),
    (
        "torch Adam",
        "adam",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01},
        "0.37468853850 -1.51242524107 0.71121365733 -0.21526578412",
    ),
    (
        "optax adam, eps_root",
        "adam",
        {"lr": 0.1, "eps": 0.01, "eps_placement": "inside"},
        "0.43839615745 -1.67367622216 0.89239534984 -0.22244195129",
    ),
    (
        "torch AdamW",
        "adamw",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "decay": "before"},
        "0.37560988878 -1.51782069003 0.83601021787 -0.20733742855",
    ),
    (
        "torch AdamW",
        "adam",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "decay": "before"},
        "0.37560988878 -1.51782069003 0.83601021787 -0.20733742855",
    ),
    (
        "optax adamw, eps_root",
        "adamw",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "decay": "before", "eps_placement": "inside"},
        "0.37432502398 -1.51647645977 0.83763205023 -0.20819018865",
    ),
    (
        "torch Adam, amsgrad",
        "amsgrad",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "beta2": 0.5, "bias_correction": "both"},
        "0.46243518844 -1.56747946424 0.60453364386 -0.20066406828",
    ),
    (
        "torch AdamW, amsgrad",
        "amsgrad",
        {
            "lr": 0.1,
            "weight_decay": 0.1,
            "eps": 0.01,
            "beta2": 0.5,
            "bias_correction": "both",
            "decay": "before",
        },
        "0.45429315723 -1.53953135183 0.72942844123 -0.19251134647",
    ),
    (
        "optax amsgrad",
        "amsgrad",
        {"lr": 0.1, "eps": 0.01, "beta2": 0.5, "bias_correction": "both", "maximum": "debiased"},
        "0.52959665031 -1.74052014950 0.77799182632 -0.19247141753",
    ),
    (
        "optax amsgrad, eps_root",
        "amsgrad",
        {
            "lr": 0.1,
            "eps": 0.01,
            "beta2": 0.5,
            "bias_correction": "both",
            "maximum": "debiased",
            "eps_placement": "inside",
        },
        "0.52794047339 -1.73922597763 0.77894658869 -0.19319243482",
    ),
    (
        "torch Adamax",
        "adamax",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01},
        "0.55793454030 -1.64269259234 0.54414183414 -0.18768344130",
    ),
    (
        "optax adamaxw",
        "adamax",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "beta2": 0.5, "decay": "before"},
        "0.26090150983 -1.41761205529 0.84453319805 -0.25229821298",
    ),
    (
        "torch NAdam",
        "nadam",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01},
        "0.50413010655 -1.68948197799 0.71669039180 -0.04192123067",
    ),
    (
        "torch NAdam, decoupled",
        "nadam",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "decay": "before", "momentum_decay": 1.0},
        "0.50051908328 -1.65442042465 0.79617612441 -0.05519643594",
    ),
    (
        "optax nadam",
        "nadam",
        {"lr": 0.1, "eps": 0.01, "form": "constant"},
        "0.39412356339 -1.67679640452 0.93890442213 -0.19789919978",
    ),
    (
        "optax nadam, eps_root",
        "nadam",
        {"lr": 0.1, "eps": 0.01, "form": "constant", "eps_placement": "inside"},
        "0.39234957388 -1.67534998841 0.94075898725 -0.19867201836",
    ),
    (
        "timm NAdamW",
        "nadam",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "decay": "before", "form": "one_correction"},
        "0.24329989136 -1.45431020501 0.92162539622 -0.24495100846",
    ),
    (
        "torch RAdam",
        "radam",
        {
            "lr": 0.1,
            "weight_decay": 0.1,
            "eps": 0.01,
            "beta2": 0.9,
            "threshold": "above_5",
            "eps_placement": "before_correction",
        },
        "0.67799814935 -1.64648554630 0.79842719857 -0.36067812338",
    ),
    (
        "torch RAdam, decoupled",
        "radam",
        {
            "lr": 0.1,
            "weight_decay": 0.1,
            "eps": 0.01,
            "beta2": 0.9,
            "decay": "before",
            "threshold": "above_5",
            "eps_placement": "before_correction",
        },
        "0.66042759809 -1.61284310528 0.77106347917 -0.34535715680",
    ),
    (
        "optax radam",
        "radam",
        {"lr": 0.1, "eps": 0.01, "threshold": "from_5"},
        "0.81345580081 -1.80660670258 0.75670050622 -0.36598468849",
    ),
    (
        "optax radam, threshold 4",
        "radam",
        {"lr": 0.1, "eps": 0.01, "beta2": 0.9},
        "0.75542321954 -1.78576252535 0.77568943605 -0.33757657503",
    ),
    (
        "torch Adagrad",
        "adagrad",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "lr_decay": 0.1, "initial_total": 0.2},
        "0.76873111978 -1.84052335573 0.63559312261 -0.05408549383",
    ),
    (
        "optax adagrad",
        "adagrad",
        {"lr": 0.1, "eps": 0.01, "initial_total": 0.1, "eps_placement": "inside"},
        "0.72680907638 -1.88663136523 0.72750781394 -0.04003408889",
    ),
    (
        "torch RMSprop",
        "rmsprop",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "momentum": 0.5},
        "-2.88522522439 0.50849269135 3.07392699707 -0.71053429864",
    ),
    (
        "torch RMSprop, centered",
        "rmsprop",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "momentum": 0.5, "centered": True},
        "-2.90749231345 0.52071595578 3.09612055882 -0.71794961101",
    ),
    (
        "timm RMSpropTF",
        "rmsprop",
        {
            "lr": 0.1,
            "weight_decay": 0.1,
            "eps": 0.01,
            "momentum": 0.5,
            "initial_v": 1.0,
            "alpha": 0.9,
            "eps_placement": "inside",
            "momentum_form": "lr_inside",
        },
        "0.17844009643 -1.40204732499 1.45911164206 -0.12725153878",
    ),
    (
        "optax rmsprop, centered, bias_correction",
        "rmsprop",
        {
            "lr": 0.1,
            "eps": 0.01,
            "alpha": 0.9,
            "centered": True,
            "momentum": 0.5,
            "bias_correction": "both",
            "eps_placement": "inside",
            "momentum_form": "lr_inside",
        },
        "-1.00836316259 0.18187810558 1.50465717408 -3.83763580938",
    ),
    (
        "torch Adadelta",
        "adadelta",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01},
        "0.83510264495 -1.91548163740 0.58494396758 0.00163670620",
    ),
    (
        "torch ASGD",
        "asgd",
        {"lr": 0.1, "weight_decay": 0.1, "lambd": 0.01, "t0": 2},
        "0.54614432879 -1.67080918039 1.32053906570 0.01148224117",
    ),
    (
        "torch SGD",
        "sgd",
        {"lr": 0.1, "weight_decay": 0.1, "momentum": 0.9, "dampening": 0.5},
        "0.00827070392 -0.95611366994 1.81099628792 -0.92654694452",
    ),
    (
        "torch SGD, nesterov",
        "nesterov",
        {"lr": 0.1, "weight_decay": 0.1, "momentum": 0.9, "form": "torch"},
        "-0.80527176655 -0.54680518600 3.55418290313 -0.51707106084",
    ),
    (
        "timm Lion",
        "lion",
        {"lr": 0.1, "weight_decay": 0.1},
        "0.42722199390 -1.53873924139 1.13610514467 -0.28247169528",
    ),
    (
        "lion-pytorch, decoupled",
        "lion",
        {"lr": 0.1, "weight_decay": 0.1, "decay": "unscaled"},
        "0.00172035800 -0.56914084700 0.71541334450 -0.16049131100",
    ),
    (
        "optax lars",
        "lars",
        {
            "lr": 1.0,
            "weight_decay": 0.1,
            "trust_coefficient": 0.1,
            "eps": 0.01,
            "guard": "one",
            "ratio": "norm_of_sum",
        },
        "0.71541664808 -2.49607469041 1.71034747077 -1.02453805530",
    ),
    (
        "timm Lars",
        "lars",
        {
            "lr": 1.0,
            "weight_decay": 0.1,
            "trust_coefficient": 0.1,
            "eps": 0.01,
            "guard": "one",
            "adapts": "with_decay",
            "momentum_form": "lr_outside",
        },
        "0.26579986486 -1.51870012257 1.75619090291 -1.12421825856",
    ),
    (
        "optax lamb",
        "lamb",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "guard": "one"},
        "-0.08696588157 -1.17946529393 1.11824191241 -0.34560006921",
    ),
    (
        "timm Lamb",
        "lamb",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "guard": "one", "adapts": "with_decay"},
        "-0.08696588157 -1.17946529393 1.11824191241 -0.34560006921",
    ),
    (
        "timm Lamb, no decay",
        "lamb",
        {"lr": 0.1, "eps": 0.01, "weight_decay": 0.0, "guard": "one", "adapts": "with_decay"},
        "0.43971504040 -1.67509242374 0.89072427253 -0.22153143229",
    ),
    (
        "timm Lamb, trust_clip",
        "lamb",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "guard": "one", "clip": "ratio_1"},
        "0.37560988878 -1.51782069003 0.83601021787 -0.20733742855",
    ),
    (
        "timm Lamb, no correction",
        "lamb",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "guard": "one", "bias_correction": "none"},
        "-0.06212882234 -1.33002883290 1.34446557147 -0.45342394891",
    ),
    (
        "torch_optimizer Lamb",
        "lamb",
        {
            "lr": 0.1,
            "weight_decay": 0.1,
            "eps": 0.01,
            "guard": "one",
            "bias_correction": "none",
            "clip": "norm_10",
        },
        "-0.06212882234 -1.33002883290 1.34446557147 -0.45342394891",
    ),
    (
        "optax sign_sgd",
        "signsgd",
        {"lr": 0.1},
        "0.70000000000 -2.00000000000 0.80000000000 -0.30000000000",
    ),
    (
        "optax signum",
        "signum",
        {"lr": 0.1, "momentum": 0.5},
        "0.20000000000 -1.70000000000 1.20000000000 -0.30000000000",
    ),
    (
        "optimi Adam",
        "adam",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "bias_correction": "in_average"},
        "0.37468853850 -1.51242524107 0.71121365733 -0.21526578412",
    ),
    (
        "optimi AdamW",
        "adamw",
        {
            "lr": 0.1,
            "weight_decay": 0.1,
            "eps": 0.01,
            "bias_correction": "in_average",
            "decay": "before",
        },
        "0.37560988878 -1.51782069003 0.83601021787 -0.20733742855",
    ),
    (
        "optimi RAdam",
        "radam",
        {
            "lr": 0.1,
            "weight_decay": 0.1,
            "eps": 0.01,
            "bias_correction": "in_average",
            "threshold": "above_5",
        },
        "0.76504311985 -1.70808733471 0.73055814528 -0.35855092325",
    ),
    (
        "optimi RAdam, decoupled",
        "radam",
        {
            "lr": 0.1,
            "weight_decay": 0.1,
            "eps": 0.01,
            "bias_correction": "in_average",
            "decay": "before",
            "threshold": "above_5",
        },
        "0.73755218462 -1.64617822549 0.70069112979 -0.34110201226",
    ),
    (
        "optimi Adan",
        "adan",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "start": "in_average"},
        "0.64336604858 -1.72613694529 0.67566369084 -0.04631250203",
    ),
    (
        "torch_optimizer LARS",
        "lars",
        {
            "lr": 0.1,
            "weight_decay": 0.1,
            "eps": 0.01,
            "momentum": 0.9,
            "trust_coefficient": 0.5,
            "adapts": "with_decay",
            "guard": "undecayed",
            "momentum_form": "lr_outside",
        },
        "0.61084865546 -1.73792092597 1.15532376050 -0.61479130137",
    ),
]


@pytest.mark.parametrize(("library", "rule", "hyper", "recorded"), TRACES)
def test_nine_steps_reach_the_librarys_parameters(
    library: str, rule: str, hyper: dict[str, Any], recorded: str
) -> None:
    """Each element equals the library's to its last recorded digit."""
    module = OPTIMIZERS[rule]
    h = module.Hyper(**hyper)
    p = np.array(P0)
    s = module.init(h, p)
    for g in 3 * G:
        s, p = module.step(h, s, p, np.array(g))
    assert [f"{x:.11f}" for x in p] == recorded.split()
