"""torch's objects with a life: that all are there, and what a life shows of one."""

# ruff: noqa: E402 - the imports after the skip need torch

from __future__ import annotations

import importlib
import inspect

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch.optim import lr_scheduler

from truestep.fast.peers import torch_lives
from truestep.fast.peers.torch import lives


def test_every_class_of_torch_has_a_life() -> None:
    """Every optimizer and every scheduler, but base classes and names kept for old programs."""
    optimizers = {
        name
        for name, found in vars(torch.optim).items()
        if inspect.isclass(found) and issubclass(found, torch.optim.Optimizer)
    }
    schedulers = {
        name
        for name, found in vars(lr_scheduler).items()
        if inspect.isclass(found) and issubclass(found, lr_scheduler.LRScheduler)
    }
    known = {life.variant for life in lives.LIVES}
    assert optimizers - known == {"Optimizer"}
    assert schedulers - known == {"LRScheduler", "_LRScheduler"}


@pytest.mark.parametrize("library", ["pytorch_optimizer", "torch_optimizer"])
def test_every_class_of_a_collection_has_a_life(library: str) -> None:
    """Every optimizer, or a reason why not; and no table speaks of a class that there is not."""
    pytest.importorskip(library, reason=f"{library} is not installed")
    module = importlib.import_module(f"truestep.fast.peers.{library}.lives")
    known = {life.variant for life in module.LIVES}
    assert not known & module.WITHOUT.keys()
    assert dict(module.classes()).keys() == known | module.WITHOUT.keys()


def test_every_class_of_optimi_has_a_life() -> None:
    """All of its optimizers."""
    optimi = pytest.importorskip("optimi", reason="torch-optimi is not installed")
    backend = importlib.import_module("truestep.fast.peers.torch_optimi.backend")
    optimizers = {
        name
        for name, found in vars(optimi).items()
        if inspect.isclass(found) and issubclass(found, torch.optim.Optimizer)
    }
    assert backend.CLASSES.keys() == optimizers


@pytest.mark.parametrize(
    ("library", "without"),
    [
        # The first cannot step; short names are those with bits, and paged ones the others.
        ("bitsandbytes", {"AdEMAMix32bit"}),
        ("torchao", {"CPUOffloadOptimizer"}),
    ],
)
def test_every_class_with_coded_state_has_a_life(library: str, without: set[str]) -> None:
    """Every optimizer, but those that stand for others or need a GPU."""
    pytest.importorskip(library, reason=f"{library} is not installed")
    module = importlib.import_module(f"{library}.optim")
    coded = importlib.import_module(f"truestep.fast.peers.{library}.lives")
    found = {
        name
        for name, made in vars(module).items()
        if inspect.isclass(made) and issubclass(made, torch.optim.Optimizer)
    }
    alike = {name for name in found if {f"{name}32bit", f"Paged{name}"} & found}
    paged = {name for name in found if name.startswith("Paged") and "AdamW" not in name}
    known = {life.variant for life in coded.LIVES}
    assert found - alike - paged - without <= known <= found


def test_a_row_of_copies_is_long_enough_for_codes() -> None:
    """torchao's moments are codes there, and what is seen of them is what they stand for."""
    pytest.importorskip("torchao", reason="torchao is not installed")
    coded = importlib.import_module("truestep.fast.peers.torchao.lives")
    life = next(life for life in coded.LIVES if life.variant == "AdamW8bit")
    one = np.ones(2, np.float32)
    program = [
        {"do": "make", "groups": [{"params": [one]}], "numbers": dict(life.numbers)},
        {"do": "step", "grads": [one]},
        {"do": "look"},
    ]
    [[seen]] = coded.lived(life.capability, [program])
    moment = seen["state"][0]["exp_avg"]
    # Five factors, which blocks whose largest elements differ read back otherwise.
    assert moment.shape == (2, 4096)
    assert 5 < np.unique(moment).size < 20 and moment[0, 0] == pytest.approx(0.2, rel=0.01)


def _life(name: str) -> torch_lives.Life:
    return next(life for life in lives.LIVES if life.variant == name)


def test_a_life_shows_what_its_object_has() -> None:
    """Parameters, states, numbers and rates, of which StepLR leaves a tenth at the second step."""
    one = np.ones(2, np.float32)
    program = [
        {"do": "make", "groups": [{"params": [one]}], "numbers": {"lr": 0.5}},
        {"do": "step", "grads": [one]},
        {"do": "renew", "way": "saved"},
        {"do": "step", "grads": [one]},
        {"do": "look"},
    ]
    step = _life("StepLR")
    [[seen]] = torch_lives.lived(lives.LIVES, step.capability, [program])
    # p = 1 - 0.5 1 - 0.5 1.8, with a momentum of 0.8.
    assert seen["params"][0].tolist() == pytest.approx([-0.4, -0.4])
    assert seen["state"][0]["momentum_buffer"].tolist() == pytest.approx([1.8, 1.8])
    assert seen["groups"][0]["lr"] == 0.05 and seen["rates"] == [0.05]


def test_what_raises_ends_a_life() -> None:
    """The last observation says which operation raised what."""
    one = np.ones(2, np.float32)
    program = [
        {"do": "make", "groups": [{"params": [one]}], "numbers": {"lr": 0.5}},
        {"do": "look"},
        {"do": "set", "group": 3, "name": "lr", "value": 0.25},
        {"do": "look"},
    ]
    [seen] = torch_lives.lived(lives.LIVES, _life("SGD").capability, [program])
    assert len(seen) == 2
    assert (seen[1]["raised"], seen[1]["at"]) == ("IndexError", 2)
