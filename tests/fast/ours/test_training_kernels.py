"""The kernels of training-loop pieces: fixed orders, shapes and views, and what they refuse."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from truestep.fast import _core
from truestep.fast.ours import training_kernels
from truestep.fast.ours.training_kernels import run
from truestep.reference.training import (
    TRAINING,
    adaptive_gradient_clipping,
    clip_by_global_norm,
    clip_by_value,
    data_parallel,
    dynamic_loss_scaling,
    gradient_accumulation,
    qk_clip,
)

LARGE = (300_001, 40_000, 0, 7)


def tensors(seed: int, *shapes: Any) -> list[Any]:
    """Ordinary float32 tensors."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("rule", training_kernels.training_kernels())
def test_kernels_name_what_the_reference_has(rule: str) -> None:
    """Their hyperparameters are fields of the Hyper; what they read is among the inputs."""
    kernel, piece = training_kernels.training_kernels()[rule], TRAINING[rule]
    given = {name.removesuffix("[]") for name in kernel.given}
    assert set(kernel.hyper) <= {field.name for field in fields(piece.Hyper)}
    assert {*kernel.inputs, *given} <= set(piece.INPUTS)


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_results_do_not_depend_on_threads(threads: int) -> None:
    """Sums are added in an order that follows from the sizes alone."""
    g, p, m = (tensors(seed, *LARGE) for seed in (1, 2, 3))
    state = {"t": 3, "scale": 2.0, "good": 0, "patience": 1}
    total = {"totals": p, "t": 1, "weight": 3.0, "examples": 5.0}
    calls: list[tuple[str, Any, dict[str, Any]]] = [
        ("clip_by_global_norm", clip_by_global_norm.Hyper(), {"gradients": g}),
        ("clip_by_value", clip_by_value.Hyper(), {"gradients": g}),
        ("data_parallel", data_parallel.Hyper(), {"gradients": [g[0], p[0]], "sizes": [3, 4]}),
        (
            "dynamic_loss_scaling",
            dynamic_loss_scaling.Hyper(),
            {"gradients": g, "params": p, "moments": m, **state},
        ),
        ("gradient_accumulation", gradient_accumulation.Hyper(steps=2), {"gradients": g, **total}),
    ]
    for rule, h, inputs in calls:
        one, several = run(rule, h, inputs, 1), run(rule, h, inputs, threads)
        assert one.keys() == several.keys()
        for name, x in one.items():
            if isinstance(x, list):
                assert all(
                    a.tobytes() == b.tobytes() for a, b in zip(x, several[name], strict=True)
                )
            else:
                assert x == several[name]


@pytest.mark.parametrize("units", adaptive_gradient_clipping.DIALECTS["units"])
@pytest.mark.parametrize(
    "shape", [(), (5,), (1, 4), (6, 1), (3, 40), (2, 3, 4), (2, 0, 3), (2, 3, 0), (2, 2, 3, 2)]
)
def test_units_are_those_of_the_reference(units: str, shape: tuple[int, ...]) -> None:
    """Of every rank, empty tensors included."""
    h = adaptive_gradient_clipping.Hyper(clipping=0.3, units=units)
    [p], [g] = tensors(1, shape), tensors(2, shape)
    [got] = run("adaptive_gradient_clipping", h, {"params": [p], "gradients": [g]})["clipped"]
    due = adaptive_gradient_clipping.apply(h, p.astype(np.float64), g.astype(np.float64))
    assert got.shape == shape
    np.testing.assert_allclose(got, due, rtol=1e-6)


def test_views_are_read_as_their_copies() -> None:
    """Transposed and stepped inputs, which are not written."""
    [g] = tensors(4, (30, 20))
    for view in (g.T, g[::3], g[:, ::-1]):
        view.flags.writeable = False
        got = run("clip_by_value", clip_by_value.Hyper(max_value=0.5), {"gradients": [view]})
        assert got["clipped"][0].tobytes() == np.clip(view, -0.5, 0.5).tobytes()


def test_heads_are_told_their_own_logits() -> None:
    """Of several shapes: those above the threshold shrink, others keep every bit."""
    queries, keys = (tensors(seed, (3, 5), (4,), (), (2, 0), (2, 2)) for seed in (7, 8))
    logits = [np.float32(x) for x in (6.0, 2.0, 24.0, 9.0, np.nan)]
    h = qk_clip.Hyper(threshold=1.5, alpha=0.5)
    got = run("qk_clip", h, {"queries": queries, "keys": keys, "logits": logits})
    for name, given in (("queries", queries), ("keys", keys)):
        due = [
            np.float32(factor) * x
            for factor, x in zip((0.5, 0.75**0.5, 0.25, 1, 1), given, strict=True)
        ]
        assert [x.tobytes() for x in got[name]] == [np.asarray(x).tobytes() for x in due]
        assert [x.shape for x in got[name]] == [x.shape for x in given]


@pytest.mark.parametrize("form", data_parallel.DIALECTS["form"])
def test_the_mean_of_one_worker_is_its_gradient(form: str) -> None:
    """Bit for bit, whatever its number of examples; the sign of zero too."""
    h = data_parallel.Hyper(form=form, weights="examples")
    g = np.array([-0.0, 1e-45, -3.4e38, np.inf, np.nan, 1 / 3], np.float32)
    [got] = run("data_parallel", h, {"gradients": [g], "sizes": [11]})["averaged"]
    assert got.tobytes() == g.tobytes()


def test_squares_do_not_overflow() -> None:
    """A norm whose square is no float32 number clips as any other."""
    g = np.array([3e30, 4e30], np.float32)
    got = run("clip_by_global_norm", clip_by_global_norm.Hyper(), {"gradients": [g]})
    np.testing.assert_allclose(got["clipped"][0], [0.6, 0.8], rtol=1e-6)


def test_arguments_are_checked() -> None:
    """An unknown piece, another dtype, and lists whose shapes differ."""
    [g], [p] = tensors(5, (4,)), tensors(6, (3,))
    with pytest.raises(ValueError, match="no kernel of clip; there are adaptive_gradient"):
        run("clip", clip_by_value.Hyper(), {"gradients": [g]})
    with pytest.raises(TypeError, match=r"gradients\[1\] must be float32, got float64"):
        run("clip_by_value", clip_by_value.Hyper(), {"gradients": [g, g.astype(np.float64)]})
    h = adaptive_gradient_clipping.Hyper()
    with pytest.raises(ValueError, match="gradients must have the shapes of params"):
        run("adaptive_gradient_clipping", h, {"params": [p], "gradients": [g]})


def test_the_extension_checks_its_arguments() -> None:
    """Before anything is read or written."""
    place = training_kernels.training_kernels()["clip_by_value"].place
    row = np.zeros((1, 1), np.int64)
    good: dict[str, Any] = {
        "kernel": place,
        "hyper": np.ones(1),
        "given": np.empty(0),
        "numbers": np.empty(0),
        "sizes": np.zeros(1, np.int64),
        "units": np.array([[1, 0, 1]]),
        "inputs": row,
        "outputs": row,
    }
    _core.train(**good)
    wrong: dict[str, tuple[Any, str]] = {
        "kernel": (1000, "there is no piece 1000"),
        "hyper": (np.ones(2), "hyper must have 1 entries, got 2"),
        "given": (np.ones(1), "given must have 0 entries, got 1"),
        "numbers": (np.ones(1), "numbers must have 0 entries, got 1"),
        "sizes": (np.array([-1]), r"sizes\[0\] must be >= 0, got -1"),
        "units": (np.array([[1, 2, 1]]), r"units\[0\] must have the product 0, got 1, 2, 1"),
        "inputs": (np.zeros((2, 1), np.int64), "inputs must have 1 entries, got 2"),
        "outputs": (np.zeros((1, 2), np.int64), r"outputs\[0\] must have 1 entries, got 2"),
    }
    for name, (value, message) in wrong.items():
        with pytest.raises(ValueError, match=message):
            _core.train(**{**good, name: value})
