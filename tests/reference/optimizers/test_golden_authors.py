"""Memory-efficient, low-rank and modern rules against traces recorded from libraries.

Nine steps with three gradients in turn, in float64, with eps large enough for its place to show:
from P0 with G ("v"), from the matrix M0 with GM ("m"), and from their transposes ("w").
The traces were recorded with PyTorch 2.13 (default dtype float64), transformers 5.23.0, optax
0.2.8, Keras 3.15.1 (JAX), timm 1.0.31, pytorch-optimizer 4.1.0, adam-mini 1.1.1, came-pytorch
0.1.3, lomo-optim 0.1.1, galore-torch 1.0, apollo-torch 1.0.3, schedulefree 1.4.1, prodigyopt 1.1.2
and torch-optimi 0.3.3. References and libraries differed by less than 1e-15 where eleven decimals
are recorded. Fewer decimals are those of a library that computes a part in float32 whatever the
parameters' dtype: optax's decay rate of Adafactor, Keras's learning rate, lomo-optim's whole step,
galore-torch's decomposition.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from truestep.reference.optimizers import OPTIMIZERS

P0 = np.array((1.0, -2.0, 0.5, 0.0))
G = np.array(((0.5, -1.0, 0.0, 2.0), (-0.25, 0.5, 0.0, 1e-3), (1.0, 0.0, -3.0, -2.0)))
M0 = np.array([[1.0, -2.0, 0.5], [0.0, 0.25, -1.0], [3.0, -0.5, 0.125], [0.75, -1.5, 2.0]])
GM = np.array(
    [
        [[0.5, -1.0, 0.125], [1.0, 0.0, -0.5], [0.25, 2.0, -3.0], [1e-3, 0.5, -0.75]],
        [[-0.25, 0.5, 1.0], [0.5, -2.0, 0.0], [1.5, -0.125, 0.75], [2.0, -1.0, 0.5]],
        [[1.0, 0.0, -3.0], [-0.5, 0.25, 1.25], [-1.0, 0.5, 2.0], [0.75, -0.25, 1.0]],
    ]
)
CASES = {"v": (P0, G), "m": (M0, GM), "w": (M0.T, GM.transpose(0, 2, 1))}

# apollo-torch was given these projections in the place of its random ones, by rank.
PROJECTIONS = {1: np.array([[1.0, -1.0, 2.0]]), 2: np.array([[1.0, -1.0, 2.0], [0.5, 1.0, -1.0]])}

# library, rule, hyperparameters, case, p after nine steps
TRACES: list[tuple[str, str, dict[str, Any], str, str]] = [
    (
        "torch Adafactor",
        "adafactor",
        {"lr": 0.1, "weight_decay": 0.1, "eps1": 0.01, "eps_placement": "floor"},
        "v",
        "0.45297890901 -1.64638091718 0.83953055590 -0.04205764657",
    ),
    (
        "transformers Adafactor",
        "adafactor",
        {"eps1": 0.01},
        "v",
        "0.94881874838 -1.98135781729 0.54409983334 -0.00365859341",
    ),
    (
        "transformers Adafactor, warmup_init",
        "adafactor",
        {"eps1": 0.01, "step_size": "warmup"},
        "v",
        "0.99997319254 -1.99999386542 0.50002671814 0.00000474693",
    ),
    (
        "transformers Adafactor, lr, beta1",
        "adafactor",
        {
            "lr": 0.1,
            "beta1": 0.5,
            "eps1": 0.01,
            "weight_decay": 0.1,
            "decay": "step",
            "momentum": "of_step",
            "step_size": "constant",
        },
        "v",
        "0.51827069328 -1.64676105023 0.76889832348 -0.07951157705",
    ),
    (
        "transformers Adafactor, no scale_parameter",
        "adafactor",
        {
            "lr": 0.1,
            "eps1": 0.01,
            "clip_threshold": 0.5,
            "parameter_scale": "none",
            "step_size": "constant",
        },
        "v",
        "0.83978918928 -2.01283202552 0.69378323548 -0.02727958954",
    ),
    (
        "optax adafactor",
        "adafactor",
        {
            "lr": 0.1,
            "beta1": 0.5,
            "eps1": 0.01,
            "weight_decay": 0.01,
            "axes": "largest",
            "decay": "unscaled",
            "momentum": "of_step",
            "step_size": "constant",
        },
        "v",
        "0.5204421 -1.6529387 0.7715550 -0.0795919",
    ),
    (
        "keras Adafactor",
        "adafactor",
        {
            "lr": 0.125,
            "eps1": 0.015625,
            "weight_decay": 0.125,
            "parameter_scale": "rms_after_decay",
        },
        "v",
        "0.334415 -1.523380 0.880384 -0.049086",
    ),
    (
        "timm AdafactorBigVision",
        "adafactor",
        {
            "lr": 0.1,
            "beta1": 0.5,
            "beta2_cap": 0.75,
            "eps1": 0.01,
            "weight_decay": 0.1,
            "clip": "none",
            "momentum": "of_update",
            "parameter_scale": "none",
            "step_size": "constant",
        },
        "v",
        "0.48570178697 -1.67382104542 0.82454061650 -0.01146109025",
    ),
    (
        "timm Adafactor",
        "adafactor",
        {"eps1": 0.01, "axes": "leading"},
        "v",
        "0.94881874838 -1.98135781729 0.54409983334 -0.00365859341",
    ),
    (
        "came-pytorch",
        "came",
        {"lr": 0.1, "beta2": 0.99, "beta3": 0.9, "eps1": 0.01, "eps2": 0.02, "weight_decay": 0.1},
        "v",
        "0.81688418634 -1.83821649404 0.58227595249 -0.06543034395",
    ),
    (
        "pytorch-optimizer CAME, coupled",
        "came",
        {
            "lr": 0.1,
            "beta2": 0.99,
            "beta3": 0.9,
            "eps1": 0.01,
            "eps2": 0.02,
            "weight_decay": 0.1,
            "decay": "coupled",
        },
        "v",
        "0.87811046906 -1.96309540900 0.50892138919 -0.06277847547",
    ),
    (
        "pytorch-optimizer SM3",
        "sm3",
        {"lr": 0.1, "momentum": 0.0, "eps": 0.01},
        "v",
        "0.71187588477 -1.88249001082 0.72835987336 -0.04093032242",
    ),
    (
        "pytorch-optimizer SM3, beta, momentum",
        "sm3",
        {"lr": 0.1, "momentum": 0.5, "beta": 0.9, "eps": 0.01, "accumulator": "average_held"},
        "v",
        "0.19460632512 -1.63935288530 1.12233069615 -0.17832694610",
    ),
    (
        "optax sm3",
        "sm3",
        {"lr": 0.1, "eps": 1e-08},
        "v",
        "0.87647772827 -1.93634512601 0.58226121486 -0.04230679167",
    ),
    (
        "optax sm3, b2",
        "sm3",
        {"lr": 0.1, "eps": 0.01, "beta": 0.9, "accumulator": "average"},
        "v",
        "0.62507164730 -1.80292475486 0.76749071937 -0.12756039134",
    ),
    (
        "torch Adafactor",
        "adafactor",
        {"lr": 0.1, "weight_decay": 0.1, "eps1": 0.01, "eps_placement": "floor"},
        "m",
        (
            "0.36797571185 -1.61730717432 0.73841761684 -0.65146465093 0.84469034612 "
            "-1.12738241594 2.59919936335 -1.03446406897 0.03582479668 -0.42419244746 "
            "-1.15983809650 1.65572903331"
        ),
    ),
    (
        "transformers Adafactor",
        "adafactor",
        {"eps1": 0.01},
        "m",
        (
            "0.93972003093 -1.97678430952 0.53226799150 -0.07080771513 0.31761508940 "
            "-1.02399814913 2.98478259916 -0.56410743727 0.11616022223 0.62769239116 "
            "-1.47665106695 1.98071259038"
        ),
    ),
    (
        "transformers Adafactor, warmup_init",
        "adafactor",
        {"eps1": 0.01, "step_size": "warmup"},
        "m",
        (
            "0.99997095204 -1.99999274284 0.50002764235 -0.00002128157 0.25003356476 "
            "-1.00001833864 2.99999646489 -0.50003174035 0.12498908534 0.74993380084 "
            "-1.49998301219 1.99998344151"
        ),
    ),
    (
        "transformers Adafactor, lr, beta1",
        "adafactor",
        {
            "lr": 0.1,
            "beta1": 0.5,
            "eps1": 0.01,
            "weight_decay": 0.1,
            "decay": "step",
            "momentum": "of_step",
            "step_size": "constant",
        },
        "m",
        (
            "0.42160105186 -1.57690063152 0.62582172703 -0.64051874812 0.78147147394 "
            "-1.03952703296 2.51757678522 -0.96665902092 0.09238424694 -0.28606878443 "
            "-1.17558791005 1.67030890365"
        ),
    ),
    (
        "transformers Adafactor, no scale_parameter",
        "adafactor",
        {
            "lr": 0.1,
            "eps1": 0.01,
            "clip_threshold": 0.5,
            "parameter_scale": "none",
            "step_size": "constant",
        },
        "m",
        (
            "0.75151173679 -1.89876080985 0.65152750500 -0.27124190763 0.49193714159 "
            "-1.10097925444 2.95651232049 -0.76562104676 0.09400685592 0.28226082701 "
            "-1.41843216307 1.92399176082"
        ),
    ),
    (
        "optax adafactor",
        "adafactor",
        {
            "lr": 0.1,
            "beta1": 0.5,
            "eps1": 0.01,
            "weight_decay": 0.01,
            "axes": "largest",
            "decay": "unscaled",
            "momentum": "of_step",
            "step_size": "constant",
        },
        "m",
        (
            "0.4343115 -1.6168037 0.6407848 -0.6525543 0.7979840 -1.0645865 2.5803137 "
            "-0.9879086 0.0945283 -0.2886969 -1.2050177 1.7115991"
        ),
    ),
    (
        "keras Adafactor",
        "adafactor",
        {
            "lr": 0.125,
            "eps1": 0.015625,
            "weight_decay": 0.125,
            "parameter_scale": "rms_after_decay",
        },
        "m",
        (
            "0.232337 -1.490095 0.764069 -0.758967 0.945381 -1.117124 2.432857 -1.111937 "
            "0.017745 -0.650924 -1.051747 1.533706"
        ),
    ),
    (
        "timm AdafactorBigVision",
        "adafactor",
        {
            "lr": 0.1,
            "beta1": 0.5,
            "beta2_cap": 0.75,
            "eps1": 0.01,
            "weight_decay": 0.1,
            "clip": "none",
            "momentum": "of_update",
            "parameter_scale": "none",
            "step_size": "constant",
        },
        "m",
        (
            "0.52215605115 -1.65158353429 0.57543962652 -0.56967751500 0.71972382069 "
            "-1.02391083187 2.58948752450 -0.88585106399 0.10183812288 -0.12480031774 "
            "-1.23241983356 1.74280388382"
        ),
    ),
    (
        "timm Adafactor",
        "adafactor",
        {"eps1": 0.01, "axes": "leading"},
        "m",
        (
            "0.93972003093 -1.97678430952 0.53226799150 -0.07080771513 0.31761508940 "
            "-1.02399814913 2.98478259916 -0.56410743727 0.11616022223 0.62769239116 "
            "-1.47665106695 1.98071259038"
        ),
    ),
    (
        "came-pytorch",
        "came",
        {"lr": 0.1, "beta2": 0.99, "beta3": 0.9, "eps1": 0.01, "eps2": 0.02, "weight_decay": 0.1},
        "m",
        (
            "0.61171504512 -1.62580402530 0.53219552733 -0.38576182987 0.53585557493 "
            "-0.96105404895 2.63070218592 -0.87718941242 0.20724257617 0.13305047523 "
            "-1.33070219750 1.84324761692"
        ),
    ),
    (
        "pytorch-optimizer CAME, coupled",
        "came",
        {
            "lr": 0.1,
            "beta2": 0.99,
            "beta3": 0.9,
            "eps1": 0.01,
            "eps2": 0.02,
            "weight_decay": 0.1,
            "decay": "coupled",
        },
        "m",
        (
            "0.63945460577 -1.67857547186 0.55935922206 -0.39210565270 0.54874950710 "
            "-0.99840016084 2.75035789653 -0.89892389921 0.21900364167 0.12364005005 "
            "-1.36328830004 1.93960217913"
        ),
    ),
    (
        "pytorch-optimizer SM3",
        "sm3",
        {"lr": 0.1, "momentum": 0.0, "eps": 0.01},
        "m",
        (
            "0.79532710328 -1.90527805224 0.50443570240 -0.19430560328 0.42438886043 "
            "-0.98231250789 2.81282481554 -0.75255750178 0.16174819120 0.46746734002 "
            "-1.46323388019 1.96514486790"
        ),
    ),
    (
        "pytorch-optimizer SM3, beta, momentum",
        "sm3",
        {"lr": 0.1, "momentum": 0.5, "beta": 0.9, "eps": 0.01, "accumulator": "average_held"},
        "m",
        (
            "0.41263988249 -1.70707181586 0.57578665194 -0.62183520706 0.78840316262 "
            "-0.95279479177 2.48563168718 -1.28306943871 0.27084447752 -0.10984444869 "
            "-1.35374240346 1.89976693218"
        ),
    ),
    (
        "optax sm3",
        "sm3",
        {"lr": 0.1, "eps": 1e-08},
        "m",
        (
            "0.90127928728 -1.94673802742 0.45518530858 -0.10486537044 0.32615206392 "
            "-0.96656009986 2.89105903665 -0.61796105870 0.16215098253 0.57332371263 "
            "-1.49964963921 2.00407290726"
        ),
    ),
    (
        "optax sm3, b2",
        "sm3",
        {"lr": 0.1, "eps": 0.01, "beta": 0.9, "accumulator": "average"},
        "m",
        (
            "0.70676039929 -1.83479042122 0.48379745026 -0.33138109803 0.49996532116 "
            "-0.92933750103 2.72421674834 -0.88567812019 0.23360172558 0.36628210309 "
            "-1.46479497743 1.99355320240"
        ),
    ),
    (
        "adam-mini, mlp.weight",
        "adam_mini",
        {"lr": 0.1, "eps": 0.01, "weight_decay": 0.1, "blocks": "rows"},
        "m",
        (
            "0.58750848266 -1.53507448679 0.66830564232 -0.49831949906 0.76764636678 "
            "-0.96485334968 2.55448219205 -0.95449174075 0.40677669725 -0.06367220729 "
            "-1.26856258564 1.82634471821"
        ),
    ),
    (
        "adam-mini, wq.weight",
        "adam_mini",
        {"lr": 0.1, "eps": 0.01, "weight_decay": 0.1, "blocks": "heads", "heads": 4},
        "m",
        (
            "0.58750848266 -1.53507448679 0.66830564232 -0.49831949906 0.76764636678 "
            "-0.96485334968 2.55448219205 -0.95449174075 0.40677669725 -0.06367220729 "
            "-1.26856258564 1.82634471821"
        ),
    ),
    (
        "adam-mini, wk.weight",
        "adam_mini",
        {"lr": 0.1, "eps": 0.01, "weight_decay": 0.1, "blocks": "heads", "heads": 2},
        "m",
        (
            "0.56520910216 -1.52818659297 0.71930959618 -0.47869580274 0.73723825911 "
            "-0.94287603991 2.51325375063 -1.07744797336 0.49207661786 0.14673669551 "
            "-1.26294314840 1.77684608769"
        ),
    ),
    (
        "adam-mini, other",
        "adam_mini",
        {"lr": 0.1, "eps": 0.01, "weight_decay": 0.1, "blocks": "tensor"},
        "m",
        (
            "0.63243690037 -1.61476600313 0.70414672161 -0.36095228287 0.65695646982 "
            "-0.96702641764 2.47867585305 -1.17540589444 0.57822056030 0.08128432957 "
            "-1.25555596063 1.78177015746"
        ),
    ),
    (
        "adam-mini, other",
        "adam_mini",
        {"lr": 0.1, "eps": 0.01, "weight_decay": 0.1, "blocks": "tensor"},
        "v",
        "0.64346870942 -1.61408113229 0.94747419390 -0.33969724238",
    ),
    (
        "adam-mini, bias",
        "adam_mini",
        {"lr": 0.1, "eps": 0.01, "blocks": "elements"},
        "v",
        "0.43971504040 -1.67509242374 0.89072427253 -0.22153143229",
    ),
    (
        "lomo-optim",
        "lomo",
        {"lr": 0.1, "weight_decay": 0.1},
        "v",
        "0.551714 -1.685784 1.330292 0.011301",
    ),
    (
        "lomo-optim, clip value",
        "lomo",
        {"lr": 0.1, "weight_decay": 0.1, "clip": "value", "clip_value": 0.75},
        "v",
        "0.624509 -1.757130 0.675142 0.004058",
    ),
    (
        "lomo-optim, clip norm",
        "lomo",
        {"lr": 0.1, "clip": "norm", "clip_norm": 0.75},
        "v",
        "0.965767 -2.051802 0.680401 -0.076428",
    ),
    (
        "lomo-optim, clip both",
        "lomo",
        {"lr": 0.1, "clip": "both", "clip_norm": 0.75, "clip_value": 0.5},
        "v",
        "0.995834 -2.100901 0.530067 -0.019332",
    ),
    (
        "lomo-optim AdaLomo",
        "adalomo",
        {"lr": 0.1, "eps1": 0.01, "weight_decay": 0.1},
        "v",
        "0.453960 -1.643101 0.838785 -0.040815",
    ),
    (
        "lomo-optim AdaLomo",
        "adalomo",
        {"lr": 0.1, "eps1": 0.01, "weight_decay": 0.1},
        "m",
        (
            "0.36106 -1.57827 0.72045 -0.63453 0.82724 -1.09935 2.53475 -1.01087 0.03647 "
            "-0.41406 -1.13125 1.61640"
        ),
    ),
    (
        "galore-torch std",
        "galore",
        {
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "rank": 2,
            "update_gap": 200,
            "eps_placement": "before_correction",
            "side": "smaller",
        },
        "m",
        (
            "0.834032 -1.783158 0.485038 -0.087631 0.324094 -0.943252 2.732926 -0.500793 "
            "0.178974 0.592367 -1.304083 1.840763"
        ),
    ),
    (
        "galore-torch std",
        "galore",
        {
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "rank": 2,
            "update_gap": 200,
            "eps_placement": "before_correction",
            "side": "smaller",
        },
        "w",
        (
            "0.834032 -0.087631 2.732926 0.592367 -1.783158 0.324094 -0.500793 -1.304083 "
            "0.485038 -0.943252 0.178974 1.840763"
        ),
    ),
    (
        "galore-torch left",
        "galore",
        {
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "rank": 2,
            "update_gap": 200,
            "eps_placement": "before_correction",
            "side": "left",
        },
        "m",
        (
            "0.834183 -1.719882 0.483914 -0.113984 0.315226 -0.872069 2.658940 -0.551347 "
            "0.149549 0.670330 -1.399103 1.833873"
        ),
    ),
    (
        "galore-torch left",
        "galore",
        {
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "rank": 2,
            "update_gap": 200,
            "eps_placement": "before_correction",
            "side": "left",
        },
        "w",
        (
            "0.834032 -0.087631 2.732926 0.592367 -1.783158 0.324094 -0.500793 -1.304083 "
            "0.485038 -0.943252 0.178974 1.840763"
        ),
    ),
    (
        "galore-torch right",
        "galore",
        {
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "rank": 2,
            "update_gap": 200,
            "eps_placement": "before_correction",
            "side": "right",
        },
        "m",
        (
            "0.834032 -1.783158 0.485038 -0.087631 0.324094 -0.943252 2.732926 -0.500793 "
            "0.178974 0.592367 -1.304083 1.840763"
        ),
    ),
    (
        "galore-torch right",
        "galore",
        {
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "rank": 2,
            "update_gap": 200,
            "eps_placement": "before_correction",
            "side": "right",
        },
        "w",
        (
            "0.83418 -0.11398 2.65894 0.67033 -1.71988 0.31523 -0.55135 -1.39910 0.48391 "
            "-0.87207 0.14955 1.83387"
        ),
    ),
    (
        "galore-torch full",
        "galore",
        {
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "rank": 2,
            "update_gap": 200,
            "eps_placement": "before_correction",
            "side": "both",
        },
        "m",
        (
            "0.828958 -1.759739 0.460315 -0.101188 0.295580 -0.892113 2.715532 -0.477528 "
            "0.167583 0.684127 -1.379170 1.839555"
        ),
    ),
    (
        "galore-torch full",
        "galore",
        {
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "rank": 2,
            "update_gap": 200,
            "eps_placement": "before_correction",
            "side": "both",
        },
        "w",
        (
            "0.8289585 -0.1011876 2.7155324 0.6841272 -1.7597393 0.2955799 -0.4775284 "
            "-1.3791696 0.4603146 -0.8921132 0.1675830 1.8395549"
        ),
    ),
    (
        "galore-torch reverse_std",
        "galore",
        {
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "rank": 2,
            "update_gap": 200,
            "eps_placement": "before_correction",
            "side": "larger",
        },
        "m",
        (
            "0.834183 -1.719882 0.483914 -0.113984 0.315226 -0.872069 2.658940 -0.551347 "
            "0.149549 0.670330 -1.399103 1.833873"
        ),
    ),
    (
        "galore-torch reverse_std",
        "galore",
        {
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "rank": 2,
            "update_gap": 200,
            "eps_placement": "before_correction",
            "side": "larger",
        },
        "w",
        (
            "0.83418 -0.11398 2.65894 0.67033 -1.71988 0.31523 -0.55135 -1.39910 0.48391 "
            "-0.87207 0.14955 1.83387"
        ),
    ),
    (
        "apollo-torch channel",
        "apollo",
        {
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "scale": 2.0,
            "rank": 2,
            "correction": "last",
            "guard": "eps",
            "limiter": "growth",
        },
        "m",
        (
            "0.86664716282 -1.78612775603 0.41556686234 -0.20058564462 0.36848921476 "
            "-0.98604095372 2.67392696919 -0.52557429584 0.11380948597 0.55780804689 "
            "-1.36170527811 1.81284853816"
        ),
    ),
    (
        "apollo-torch channel",
        "apollo",
        {
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "scale": 2.0,
            "rank": 2,
            "correction": "last",
            "guard": "eps",
            "limiter": "growth",
        },
        "w",
        (
            "0.86664716282 -0.20058564462 2.67392696919 0.55780804689 -1.78612775603 "
            "0.36848921476 -0.52557429584 -1.36170527811 0.41556686234 -0.98604095372 "
            "0.11380948597 1.81284853816"
        ),
    ),
    (
        "apollo-torch channel no limiter",
        "apollo",
        {
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "scale": 2.0,
            "rank": 2,
            "correction": "last",
            "guard": "eps",
            "limiter": "none",
        },
        "m",
        (
            "0.86343994263 -1.78804467899 0.40497230415 -0.25129390710 0.39867372796 "
            "-0.98905606103 2.65992668247 -0.53575281775 0.11144470824 0.53415247246 "
            "-1.35705551173 1.80747039573"
        ),
    ),
    (
        "apollo-torch channel no limiter",
        "apollo",
        {
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "scale": 2.0,
            "rank": 2,
            "correction": "last",
            "guard": "eps",
            "limiter": "none",
        },
        "w",
        (
            "0.86343994263 -0.25129390710 2.65992668247 0.53415247246 -1.78804467899 "
            "0.39867372796 -0.53575281775 -1.35705551173 0.40497230415 -0.98905606103 "
            "0.11144470824 1.80747039573"
        ),
    ),
    (
        "apollo-torch tensor",
        "apollo",
        {
            "scaling": "tensor",
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "scale": 2.0,
            "rank": 1,
            "correction": "last",
            "guard": "eps",
            "limiter": "growth",
        },
        "m",
        (
            "0.86323221969 -1.80137196436 0.51632557635 -0.05360531387 0.31235520027 "
            "-0.93583576917 2.69575166746 -0.56764652265 0.15127197116 0.56365928736 "
            "-1.33874144752 1.80299392237"
        ),
    ),
    (
        "apollo-torch tensor",
        "apollo",
        {
            "scaling": "tensor",
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "scale": 2.0,
            "rank": 1,
            "correction": "last",
            "guard": "eps",
            "limiter": "growth",
        },
        "w",
        (
            "0.86323221969 -0.05360531387 2.69575166746 0.56365928736 -1.80137196436 "
            "0.31235520027 -0.56764652265 -1.33874144752 0.51632557635 -0.93583576917 "
            "0.15127197116 1.80299392237"
        ),
    ),
    (
        "apollo-torch tensor no limiter",
        "apollo",
        {
            "scaling": "tensor",
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "scale": 2.0,
            "rank": 1,
            "correction": "last",
            "guard": "eps",
            "limiter": "none",
        },
        "m",
        (
            "0.84316487290 -1.81052396639 0.56718727740 -0.05491972510 0.35177053765 "
            "-0.96551893315 2.68565237413 -0.58160376875 0.09162033482 0.49959836013 "
            "-1.31091354418 1.76863806214"
        ),
    ),
    (
        "apollo-torch tensor no limiter",
        "apollo",
        {
            "scaling": "tensor",
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "scale": 2.0,
            "rank": 1,
            "correction": "last",
            "guard": "eps",
            "limiter": "none",
        },
        "w",
        (
            "0.84316487290 -0.05491972510 2.68565237413 0.49959836013 -1.81052396639 "
            "0.35177053765 -0.58160376875 -1.31091354418 0.56718727740 -0.96551893315 "
            "0.09162033482 1.76863806214"
        ),
    ),
    (
        "schedulefree SGD",
        "schedule_free_sgd",
        {"lr": 0.1, "beta": 0.75, "weight_decay": 0.1, "r": 1.0, "warmup_steps": 4},
        "v",
        "0.70732053480 -1.79697737528 1.04519721320 0.01243682328",
    ),
    (
        "schedulefree AdamW",
        "schedule_free_adamw",
        {
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "r": 1.0,
            "warmup_steps": 4,
            "bias_correction": "moment",
        },
        "v",
        "0.62617757734 -1.78418328786 0.77584060441 0.01090320428",
    ),
    (
        "schedulefree AdamW paper",
        "schedule_free_adamw",
        {"lr": 0.1, "eps": 0.01, "weight_decay": 0.1, "r": 1.0, "warmup_steps": 4},
        "v",
        "0.70036644617 -1.89198586283 0.81008911870 0.01416694415",
    ),
    (
        "optax schedule_free_sgd",
        "schedule_free_sgd",
        {"lr": 0.1},
        "v",
        "0.79000000000 -1.88000000000 0.95000000000 -0.12018000000",
    ),
    (
        "optax schedule_free_adamw",
        "schedule_free_adamw",
        {"lr": 0.1, "eps": 0.01, "weight_decay": 0.1, "bias_correction": "moment"},
        "v",
        "0.63945801279 -1.77057416483 0.72848858015 -0.04113651463",
    ),
    (
        "optax ademamix",
        "ademamix",
        {"lr": 0.1, "eps": 0.01, "weight_decay": 0.1},
        "v",
        "0.37428680144 -1.51711729955 0.83709611361 -0.20768515661",
    ),
    (
        "optax ademamix, eps_root",
        "ademamix",
        {"lr": 0.1, "eps": 0.01, "eps_placement": "inside", "beta3": 0.99},
        "v",
        "0.30550805055 -1.60329462487 1.00150316665 -0.25733583757",
    ),
    (
        "pytorch-optimizer AdEMAMix",
        "ademamix",
        {"lr": 0.1, "eps": 0.01, "weight_decay": 0.1},
        "v",
        "0.37428680144 -1.51711729955 0.83709611361 -0.20768515661",
    ),
    (
        "pytorch-optimizer AdEMAMix, coupled, schedules",
        "ademamix",
        {
            "lr": 0.1,
            "eps": 0.01,
            "weight_decay": 0.1,
            "decay": "coupled",
            "alpha_warmup": 6,
            "beta3_warmup": 6,
        },
        "v",
        "0.37153825031 -1.50898663850 0.71251794532 -0.21724245011",
    ),
    (
        "timm Adan",
        "adan",
        {"lr": 0.1, "eps": 0.01, "weight_decay": 0.1, "start": "corrected"},
        "v",
        "0.64336604858 -1.72613694529 0.67566369084 -0.04631250203",
    ),
    (
        "timm Adan, no_prox",
        "adan",
        {"lr": 0.1, "eps": 0.01, "weight_decay": 0.1, "decay": "before", "start": "corrected"},
        "v",
        "0.63995188249 -1.72352962419 0.67736627785 -0.04672282255",
    ),
    (
        "optimi Adan",
        "adan",
        {"lr": 0.1, "eps": 0.01, "weight_decay": 0.1, "start": "corrected"},
        "v",
        "0.64336604858 -1.72613694529 0.67566369084 -0.04631250203",
    ),
    (
        "prodigyopt",
        "prodigy",
        {
            "eps": 0.01,
            "d0": 0.01,
            "weights": "over_d0",
            "eps_scale": "new",
            "weight_decay": 0.1,
            "lr": 0.5,
        },
        "v",
        "0.85796689583 -1.92669863565 0.63487847842 -0.03613627967",
    ),
    (
        "prodigyopt, corrected, limited",
        "prodigy",
        {
            "eps": 0.01,
            "d0": 0.01,
            "weights": "over_d0",
            "eps_scale": "new",
            "bias_correction": "rate",
            "growth": "limited",
            "growth_rate": 1.02,
            "d_coef": 2.0,
            "beta2": 0.99,
        },
        "v",
        "0.94423643598 -1.96932702823 0.54281880939 -0.02058909954",
    ),
    (
        "prodigyopt, coupled, safeguard",
        "prodigy",
        {
            "eps": 0.01,
            "d0": 0.01,
            "weights": "safeguard",
            "eps_scale": "new",
            "lr": 0.5,
            "weight_decay": 0.1,
            "decay": "coupled",
        },
        "v",
        "0.85847532936 -1.88894375691 0.59856620637 -0.04048703194",
    ),
    (
        "optax prodigy",
        "prodigy",
        {
            "eps": 0.01,
            "d0": 0.01,
            "weights": "over_d0",
            "eps_scale": "new",
            "weight_decay": 0.1,
            "bias_correction": "rate",
            "guard": "none",
        },
        "v",
        "0.95393643385 -1.96992992691 0.53535708795 -0.01955219344",
    ),
    (
        "optimi StableAdamW",
        "stable_adamw",
        {"lr": 0.1, "eps": 0.01, "weight_decay": 0.1},
        "v",
        "0.42394344543 -1.54250595131 0.79679648025 -0.21451089386",
    ),
    (
        "pytorch-optimizer StableAdamW",
        "stable_adamw",
        {"lr": 0.1, "eps": 0.01, "weight_decay": 0.1},
        "v",
        "0.42394344543 -1.54250595131 0.79679648025 -0.21451089386",
    ),
    (
        "timm AdamWLegacy, clipping",
        "stable_adamw",
        {
            "lr": 0.1,
            "beta2": 0.999,
            "eps": 0.01,
            "weight_decay": 0.1,
            "clip_threshold": 0.5,
            "decay": "lr",
            "rms": "denominator",
        },
        "v",
        "0.59473702670 -1.63523211620 0.67221198215 -0.16404126442",
    ),
]


def _as_printed(value: float, printed: str) -> str:
    """The value rounded to as many decimals as are printed."""
    return f"{value:.{len(printed.partition('.')[2])}f}"


@pytest.mark.parametrize(("library", "rule", "hyper", "case", "recorded"), TRACES)
def test_nine_steps_reach_the_librarys_parameters(
    library: str, rule: str, hyper: dict[str, Any], case: str, recorded: str
) -> None:
    """Each element equals the library's to its last recorded digit."""
    module = OPTIMIZERS[rule]
    h = module.Hyper(**hyper)
    p, gradients = CASES[case]
    s = module.init(h, p)
    if rule.startswith("apollo"):
        projection = PROJECTIONS[h.rank]
        s = dataclasses.replace(s, projection=projection.T if case == "m" else projection)
    for g in (*gradients, *gradients, *gradients):
        s, p = module.step(h, s, p, g)
    expected = recorded.split()
    assert [_as_printed(float(x), e) for x, e in zip(p.ravel(), expected, strict=True)] == expected
    assert s.t == 3 * len(gradients)
