"""Departures of torch-optimi from its rules, found by this suite."""

from __future__ import annotations

from truestep.fast.peers.finding import Finding

_OPTIMI_DECAY = """\
import torch
from optimi import {optimizer}
for weight_decay in (0.75, 1.0):
    p = torch.ones(1)
    optimizer = {optimizer}([p], lr=1.0, weight_decay=weight_decay{option}, triton=False)
    p.grad = torch.zeros(1)
    optimizer.step()
    print(weight_decay, p.item())
"""

_OPTIMI_RELEASE = """\
import torch
from optimi import {optimizer}, prepare_for_gradient_release
for shape in ((1,), ()):
    model = torch.nn.Module()
    model.weight = torch.nn.Parameter(torch.ones(shape))
    optimizer = {optimizer}(model.parameters(), lr=1.0, gradient_release=True)
    prepare_for_gradient_release(model, optimizer)
    try:
        model.weight.sum().backward()
        print(shape, "stepped")
    except TypeError as error:
        print(shape, error)
"""

_OPTIMI_CLIPPING = """\
import torch
from optimi import StableAdamW
for last in (100.0, float("inf")):
    p = torch.zeros(2)
    optimizer = StableAdamW([p], lr=1.0, betas=(0.0, 0.99), weight_decay=0.0, triton=False)
    for g in ([1.0, 1.0], [100.0, last]):
        before = p.clone()
        p.grad = torch.tensor(g)
        optimizer.step()
    print(last, round((before - p)[0].item(), 4))
"""


def _optimi(optimizer: str, rule: str, glob: str, option: str = "") -> Finding:
    return Finding(
        library="torch-optimi",
        versions="0.3.3",
        rule=rule,
        title=f"{optimizer} leaves a decay out that would shrink the parameter to zero",
        contradicts="p_t = p_{t-1} (1 - lr weight_decay) - lr ..., for lr weight_decay = 1 too",
        # weight_decay becomes the factor, and is then asked whether it is zero.
        reproducer=_OPTIMI_DECAY.format(optimizer=optimizer, option=option),
        expected="0.75 0.25\n1.0 0.0\n",
        actual="0.75 0.25\n1.0 1.0\n",
        check_glob=glob,
    )


def _released(optimizer: str, rule: str) -> Finding:
    return Finding(
        library="torch-optimi",
        versions="0.3.3",
        rule=rule,
        title=f"{optimizer}(gradient_release=True) refuses parameters without axes",
        contradicts="a parameter of any shape is stepped in the backward pass",
        # [None] * len(params), where params is the one parameter.
        reproducer=_OPTIMI_RELEASE.format(optimizer=optimizer),
        expected="(1,) stepped\n() stepped\n",
        actual="(1,) stepped\n() len() of a 0-d tensor\n",
        check_glob="",
    )


TORCH_OPTIMI_FINDINGS: tuple[Finding, ...] = (
    _optimi("AdamW", "adamw", "optimizer/adamw/float32/any_decay_*/*"),
    _optimi("Lion", "lion", "optimizer/lion/float32/any_decay_*/*"),
    _optimi("RAdam", "radam", "optimizer/radam/float32/any_decay_*/*", ", decouple_wd=True"),
    _optimi("SGD", "sgd", "optimizer/sgd/float32/any_decay_*/*", ", decouple_wd=True"),
    _released("Adam", "adam"),
    _released("AdamW", "adamw"),
    _released("Adan", "adan"),
    _released("Lion", "lion"),
    _released("RAdam", "radam"),
    _released("SGD", "sgd"),
    _released("StableAdamW", "stable_adamw"),
    Finding(
        library="torch-optimi",
        versions="0.3.3",
        rule="stable_adamw",
        title="A gradient with nan or infinity turns the clipping off for the rest of its tensor",
        contradicts="eta_t = lr / max(1, RMS_t), which is nan where RMS_t is",
        # Python's max(1, nan) is 1.
        reproducer=_OPTIMI_CLIPPING,
        expected="100.0 1.0\ninf nan\n",
        actual="100.0 1.0\ninf 1.4106\n",
        check_glob="optimizer/stable_adamw/*/special_values",
    ),
)
