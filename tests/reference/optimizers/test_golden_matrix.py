"""References of the matrix rules in the dialects of libraries, against traces recorded from those.

Seven steps from P0, or its transpose, with the gradients of gradient(t); float64. Recorded with
optax 0.2.8 and pytorch-optimizer 4.1 (default dtype float64), and rounded to nine decimals;
references and libraries differed by less than 1e-13. The last trace is of a SOAP whose cast of the
QR decomposition to float32 was taken out. Muon of PyTorch and pytorch-optimizer iterates in
bfloat16 whatever the parameters are, and so leaves no trace to nine decimals.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.reference.optimizers import distributed_shampoo, muon, shampoo, soap

MODULES: dict[str, Any] = {
    "distributed_shampoo": distributed_shampoo,
    "muon": muon,
    "shampoo": shampoo,
    "soap": soap,
}
P0 = ((1.0, -2.0, 0.5), (0.0, 0.25, -1.0), (0.5, 1.0, 2.0), (-1.0, 0.75, 0.125))


def gradient(t: int) -> Any:
    """The gradient of step t."""
    return np.array(
        [
            [0.5 * t, -1.0, 0.125],
            [1.0, 0.25 * (t - 1), -0.5],
            [-0.75, 2.0 / t, 1.0],
            [0.25, -0.5, 1.5 - t],
        ]
    )


SCALABLE: dict[str, Any] = {
    "lr": 0.1,
    "beta1": 0.0,
    "beta2": 0.8,
    "momentum": 0.9,
    "weight_decay": 0.1,
    "start": 3,
    "precondition_frequency": 2,
    "graft_beta2": 0.8,
    "graft_eps": 0.01,
    "eps": 0.01,
    "nesterov": True,
    "bias_correction": "none",
    "buffers": "two",
    "ridge": "initial",
    "timing": "multiples",
    "vectors": "grafted",
}

# library, rule, hyperparameters, whether transposed, p after seven steps
TRACES: list[tuple[str, str, dict[str, Any], bool, str]] = [
    (
        "optax muon",
        "muon",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "momentum_form": "debiased", "scale": "wide"},
        False,
        "0.561335285 -1.540662778 0.306646230 -0.459381782 -0.221555033 -0.725346795 "
        "0.570027389 0.625225330 1.565469003 -0.964439543 0.858560859 0.461630084",
    ),
    (
        "optax muon, transposed",
        "muon",
        {"lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "momentum_form": "debiased", "scale": "wide"},
        True,
        "0.503983145 -0.530448390 0.586115428 -0.969447848 -1.490622117 -0.291877469 "
        "0.577757014 0.883237428 0.281989061 -0.693367324 1.519265878 0.515020631",
    ),
    (
        "optax muon, consistent_rms",
        "muon",
        {
            "lr": 0.1,
            "weight_decay": 0.1,
            "eps": 0.01,
            "momentum_form": "debiased",
            "scale": "rms",
            "nesterov": False,
        },
        False,
        "0.787597036 -1.732308051 0.388061884 -0.195319664 0.054333267 -0.843385534 "
        "0.502576027 0.798320430 1.739073359 -0.941944592 0.762494713 0.232453223",
    ),
    (
        "optax muon, adaptive, dion",
        "muon",
        {
            "lr": 0.1,
            "weight_decay": 0.1,
            "eps": 0.01,
            "momentum_form": "debiased",
            "scale": "wide",
            "magnitude": "dual_norm",
            "coefficients": "quintic",
        },
        False,
        "-1.747991889 0.138286610 -0.751760842 -2.719037429 -2.338246025 0.084118691 "
        "1.124528724 -0.987176476 0.109404343 -0.971102687 1.521673749 2.221690570",
    ),
    (
        "optax muon, spectral",
        "muon",
        {
            "lr": 0.1,
            "weight_decay": 0.1,
            "eps": 0.01,
            "momentum_form": "debiased",
            "scale": "wide",
            "norm": "spectral",
        },
        False,
        "0.528720603 -1.553771139 0.177361011 -0.468887237 -0.267831149 -0.771886018 "
        "0.498440436 0.658838200 1.614187497 -0.874710930 0.805847941 0.393491432",
    ),
    (
        "optax muon, schatten",
        "muon",
        {
            "lr": 0.1,
            "weight_decay": 0.1,
            "eps": 1e-08,
            "momentum_form": "debiased",
            "scale": "wide",
            "norm": "schatten",
        },
        False,
        "0.516580865 -1.548184212 0.181892713 -0.471038743 -0.264267451 -0.769392964 "
        "0.507031894 0.654139587 1.608217381 -0.878983571 0.809595389 0.403540025",
    ),
    (
        "optax muon, aol",
        "muon",
        {
            "lr": 0.1,
            "weight_decay": 0.1,
            "eps": 1e-08,
            "momentum_form": "debiased",
            "scale": "wide",
            "norm": "aol",
        },
        False,
        "0.546410267 -1.559898271 0.184092893 -0.468295206 -0.246924665 -0.767235221 "
        "0.488950486 0.667758511 1.621623582 -0.876507843 0.811436295 0.400558096",
    ),
    (
        "pytorch-optimizer Shampoo",
        "shampoo",
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, "eps": 0.01, "momentum_form": "fed_back"},
        False,
        "0.775443197 -1.820911475 0.314049342 -0.245296002 0.105118905 -0.879504609 "
        "0.443164653 0.863502054 1.795082487 -0.959978900 0.736765549 0.198008074",
    ),
    (
        "pytorch-optimizer Shampoo, weight_decouple",
        "shampoo",
        {
            "lr": 0.1,
            "momentum": 0.9,
            "weight_decay": 0.1,
            "eps": 0.01,
            "momentum_form": "fed_back",
            "decay": "before",
        },
        False,
        "0.738425728 -1.745620238 0.251229003 -0.250115086 0.097635069 -0.851616941 "
        "0.439785761 0.811586618 1.703008190 -0.964506391 0.744742498 0.180020697",
    ),
    (
        "pytorch-optimizer Shampoo, fixed_decay",
        "shampoo",
        {
            "lr": 0.1,
            "momentum": 0.9,
            "weight_decay": 0.1,
            "eps": 0.01,
            "momentum_form": "fed_back",
            "decay": "unscaled",
        },
        False,
        "0.329091072 -0.876063224 0.083183827 -0.167649166 0.021142562 -0.422301060 "
        "0.218923741 0.405214679 0.848052746 -0.493475790 0.385390346 0.147415826",
    ),
    (
        "pytorch-optimizer Shampoo, every 3 steps",
        "shampoo",
        {
            "lr": 0.1,
            "momentum": 0.9,
            "weight_decay": 0.1,
            "eps": 0.01,
            "momentum_form": "fed_back",
            "precondition_frequency": 3,
            "timing": "multiples",
        },
        True,
        "0.729992304 -0.093355153 0.414011429 -0.834110117 -1.892815137 0.142017064 "
        "0.975502751 0.683921854 0.315297518 -0.894821875 1.873171080 0.456590208",
    ),
    (
        "pytorch-optimizer ScalableShampoo, SGD",
        "distributed_shampoo",
        {**SCALABLE, "graft": "sgd"},
        False,
        "-3.633581716 0.886962504 -0.913291149 -2.922200717 -2.864484297 0.446068343 "
        "1.263726849 -1.055843395 -0.242193161 -0.621253070 1.502185781 5.045265236",
    ),
    (
        "pytorch-optimizer ScalableShampoo, AdaGrad",
        "distributed_shampoo",
        {**SCALABLE, "graft": "adagrad"},
        False,
        "-1.549536977 0.024785644 -0.728967293 -1.823696732 -1.221932792 0.209768744 "
        "1.118548937 -0.543582448 0.165799856 -0.978436733 1.356947727 2.092446708",
    ),
    (
        "pytorch-optimizer ScalableShampoo, RMSProp",
        "distributed_shampoo",
        {**SCALABLE, "graft": "rmsprop"},
        False,
        "-4.765234301 2.041515018 -2.151273913 -4.282189466 -3.255033314 1.454878371 "
        "2.072336354 -2.164750355 -1.542997478 -1.221498639 2.394230972 5.120181885",
    ),
    (
        "pytorch-optimizer ScalableShampoo, sqrt(n)",
        "distributed_shampoo",
        {**SCALABLE, "graft": "sign", "nesterov": False},
        False,
        "-2.285605898 0.348665389 -1.026236100 -2.382318401 -1.749135364 0.352802611 "
        "1.190268206 -0.755571200 -0.070739353 -0.884517825 1.495169821 3.170905951",
    ),
    (
        "pytorch-optimizer ScalableShampoo, no graft",
        "distributed_shampoo",
        {**SCALABLE, "graft": "none"},
        False,
        "-2.697676190 0.582268418 -0.954633346 -2.576876437 -1.969124339 0.354274608 "
        "1.161280135 -0.985639849 -0.233346301 -0.601405513 1.387625509 3.915335681",
    ),
    (
        "pytorch-optimizer ScalableShampoo, moving average",
        "distributed_shampoo",
        {**SCALABLE, "graft": "sgd", "dampening": 0.9},
        False,
        "0.516602912 -1.692714045 0.350970549 -0.309753791 -0.070936544 -0.845742423 "
        "0.583633275 0.774782317 1.758362439 -0.961323672 0.830712470 0.631471311",
    ),
    (
        "pytorch-optimizer ScalableShampoo, decoupled decay",
        "distributed_shampoo",
        {**SCALABLE, "graft": "sgd", "decay": "before"},
        False,
        "-3.571643046 0.617161870 -0.866228215 -3.049598145 -2.877336039 0.313786738 "
        "1.420352077 -1.001541716 0.034807607 -0.819944203 1.695264579 5.165177465",
    ),
    (
        "pytorch-optimizer ScalableShampoo, exponent",
        "distributed_shampoo",
        {**SCALABLE, "graft": "sgd", "exponent": "order"},
        False,
        "-2.938883897 0.574285997 -1.357740861 -3.076264304 -4.085172269 0.345652533 "
        "0.342863228 -0.982138417 0.622508633 -0.096061302 1.199643090 4.285101548",
    ),
    (
        "pytorch-optimizer SOAP",
        "soap",
        {
            "lr": 0.1,
            "weight_decay": 0.1,
            "eps": 0.01,
            "eps_placement": "before_correction",
            "order": "sorted",
        },
        False,
        "0.194619952 -1.082653605 0.392087000 -0.823034520 -0.262541843 -0.905986644 "
        "0.920822033 1.004891324 1.727885422 -1.131734044 0.741079537 0.830811195",
    ),
    (
        "pytorch-optimizer SOAP, normalize_gradient",
        "soap",
        {
            "lr": 0.1,
            "weight_decay": 0.1,
            "eps": 0.01,
            "eps_placement": "before_correction",
            "order": "sorted",
            "normalization": "rms_eps",
        },
        False,
        "-1.397804742 0.584602634 0.154643859 -2.630319198 -1.349450288 -0.827524236 "
        "1.784328678 1.126605964 1.342431335 -1.579073376 0.827388775 2.210627700",
    ),
    (
        "pytorch-optimizer SOAP, no correct_bias",
        "soap",
        {
            "lr": 0.1,
            "weight_decay": 0.1,
            "eps": 0.01,
            "eps_placement": "before_correction",
            "order": "sorted",
            "bias_correction": "none",
        },
        True,
        "0.655510664 -0.307359998 0.656092418 -1.008796288 -1.571658422 0.048481928 "
        "0.967411836 0.718108187 0.450340090 -0.928268604 1.830807195 0.410672173",
    ),
    (
        "pytorch-optimizer SOAP, every 2 steps, QR in float64",
        "soap",
        {
            "lr": 0.1,
            "weight_decay": 0.1,
            "eps": 0.01,
            "eps_placement": "before_correction",
            "order": "sorted",
            "precondition_frequency": 2,
        },
        True,
        "0.356712483 -0.733944232 0.649435038 -1.134224776 -1.292143108 -0.428014680 "
        "1.016855778 0.780113503 0.359384937 -0.831514701 1.679427099 0.836728663",
    ),
]


@pytest.mark.parametrize(("library", "rule", "hyper", "transposed", "recorded"), TRACES)
def test_seven_steps_reach_the_librarys_parameters(
    library: str, rule: str, hyper: dict[str, Any], transposed: bool, recorded: str
) -> None:
    """Each element equals the library's to its last recorded digit."""
    module = MODULES[rule]
    h = module.Hyper(**hyper)
    p = np.array(P0).T if transposed else np.array(P0)
    s = module.init(h, p)
    for t in range(1, 8):
        s, p = module.step(h, s, p, gradient(t).T if transposed else gradient(t))
    assert [f"{x:.9f}" for x in p.ravel()] == recorded.split()
