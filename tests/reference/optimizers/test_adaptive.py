"""Facts about adaptive, layer-wise and sign methods, on numbers for which they are exact.

Over 300 lines: each rule of the family by hand and by its identities.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pytest

from truestep.reference.optimizers import (
    OPTIMIZERS,
    adadelta,
    adagrad,
    adam,
    adamax,
    lamb,
    lars,
    lion,
    nadam,
    nesterov,
    radam,
    rmsprop,
    signsgd,
    signum,
    swats,
)


def _run(module: Any, h: Any, p: Any, gradients: Any) -> tuple[Any, Any]:
    s = module.init(h, p)
    for g in gradients:
        s, p = module.step(h, s, p, np.asarray(g))
    return s, p


def test_first_steps_have_their_known_lengths() -> None:
    """From zero state with eps = 0: lr / sqrt(1 - alpha) for RMSProp, lr for all others."""
    g = np.array([2.0**-30, -4.0, 2.0**40])
    zero = np.zeros(3)
    for module, h, length in (
        (adagrad, adagrad.Hyper(lr=0.5, eps=0.0), 0.5),
        (adamax, adamax.Hyper(lr=0.5, beta1=0.5, eps=0.0), 0.5),
        (lion, lion.Hyper(lr=0.5), 0.5),
        (rmsprop, rmsprop.Hyper(lr=0.5, alpha=0.75, eps=0.0), 1.0),
        (signsgd, signsgd.Hyper(lr=0.5), 0.5),
        (signum, signum.Hyper(lr=0.5), 0.5),
    ):
        _, p = _run(module, h, zero, [g])
        np.testing.assert_array_equal(p, -length * np.sign(g))


def test_first_step_of_adadelta_uses_the_old_mean_of_steps() -> None:
    """delta = sqrt(0 + eps) / sqrt((1 - rho) g^2 + eps) g = 1 here; u takes it without lr."""
    h = adadelta.Hyper(lr=2.0, rho=0.25, eps=1.0)
    s, p = _run(adadelta, h, np.zeros(1), [[2.0]])
    assert (p.tolist(), s.v.tolist(), s.u.tolist()) == ([-2.0], [3.0], [0.75])


@pytest.mark.parametrize(
    ("rule", "dialect", "eps"),
    [
        ("adam", {"eps_placement": "outside"}, 1.0),
        ("adam", {"eps_placement": "before_correction"}, 0.5),
        ("adam", {"eps_placement": "inside"}, 7.0),
        ("adam", {"eps_placement": "floor"}, 4.0),
        ("adam", {"eps_placement": "outside", "bias_correction": "none"}, 0.5),
        ("adam", {"eps_placement": "before_correction", "bias_correction": "none"}, 0.5),
        ("adam", {"eps_placement": "inside", "bias_correction": "none"}, 1.75),
        ("adam", {"eps_placement": "floor", "bias_correction": "none"}, 2.0),
        ("adamw", {"eps_placement": "outside"}, 1.0),
        ("adamw", {"eps_placement": "before_correction"}, 0.5),
        ("adamw", {"eps_placement": "inside"}, 7.0),
        ("adamw", {"eps_placement": "floor"}, 4.0),
        ("amsgrad", {"eps_placement": "outside"}, 0.5),
        ("amsgrad", {"eps_placement": "before_correction"}, 0.5),
        ("amsgrad", {"eps_placement": "inside"}, 1.75),
        ("amsgrad", {"eps_placement": "outside", "bias_correction": "both"}, 1.0),
        ("amsgrad", {"eps_placement": "before_correction", "bias_correction": "both"}, 0.5),
        ("amsgrad", {"eps_placement": "inside", "bias_correction": "both"}, 7.0),
    ],
)
def test_first_step_of_adams_family_with_each_place_of_eps(
    rule: str, dialect: dict[str, str], eps: float
) -> None:
    """g = 3, m = 3/2, v = 9/4: eps is chosen for the update 3/4 in each place; then each decay."""
    module = OPTIMIZERS[rule]
    fields = {"lr": 0.5, "beta1": 0.5, "beta2": 0.75, "eps": eps, "weight_decay": 0.5, **dialect}
    by_hand = {"unscaled": 2 - (0.375 + 1), "before": 1.5 - 0.375, "after": 1.625 * 0.75}
    # The step and the parameter have one sign, so that cautious decay is decay.
    by_hand["in_step"] = by_hand["cautious"] = by_hand["before"]
    for decay in module.DIALECTS["decay"]:
        p, g = np.array([2.0]), np.array([3.0])
        if decay == "coupled":
            g = g - 0.5 * p
        h = module.Hyper(**fields, decay=decay)
        _, moved = module.step(h, module.init(h, p), p, g)
        assert moved.tolist() == [by_hand.get(decay, 2 - 0.375)], decay


@pytest.mark.parametrize("correction", ["none", "both"])
def test_amsgrad_adds_eps_before_the_correction_as_keras_does(correction: str) -> None:
    """While v grows, v_max is v and the step is Adam's with the same place of eps."""
    p, gradients = np.array([2.0]), [[1.0], [2.0], [4.0]]
    fields: dict[str, Any] = {"lr": 0.5, "eps": 0.5, "bias_correction": correction}
    fields["eps_placement"] = "before_correction"
    ends = [
        _run(OPTIMIZERS[r], OPTIMIZERS[r].Hyper(**fields), p, gradients)
        for r in ("amsgrad", "adam")
    ]
    assert f"{ends[0][1][0]:.14f}" == f"{ends[1][1][0]:.14f}"


def test_nadam_forms_differ_on_their_first_step() -> None:
    """Rational factors of lr for beta1 = 1/2; the scheduled one with 0.96^0 = 1, mu = 1/4."""
    first: dict[Any, Fraction] = {
        "scheduled": Fraction(17, 15),
        "constant": Fraction(4, 3),
        "one_correction": Fraction(3, 2),
    }
    for form, factor in first.items():
        h = nadam.Hyper(lr=1.0, beta1=0.5, beta2=0.75, eps=0.0, momentum_decay=0.0, form=form)
        _, p = _run(nadam, h, np.zeros(1), [[4.0]])
        assert f"{-p[0]:.14f}" == f"{float(factor):.14f}", form


@pytest.mark.parametrize(("threshold", "first"), [("above_4", 5), ("above_5", 6), ("from_5", 6)])
def test_radam_becomes_adaptive_when_rho_passes_its_threshold(threshold: Any, first: int) -> None:
    """Until then a step is linear in the gradient: doubling all gradients doubles the move."""
    h = radam.Hyper(lr=1.0, eps=0.0, threshold=threshold)
    moves = []
    for scale in (1.0, 2.0):
        p, s, path = np.zeros(1), radam.init(h, np.zeros(1)), []
        for _ in range(8):
            s, new = radam.step(h, s, p, np.array([scale]))
            path.append(float(new[0]))
            p = new
        moves.append(np.diff([0.0, *path]))
    linear = moves[1] == 2 * moves[0]
    assert list(linear) == [t < first for t in range(1, 9)]


def test_radam_rectification_matches_the_papers_numbers() -> None:
    """beta1 = 0 and g = 1: the first adaptive move is r_t, computed in rationals up to the root."""
    beta2, t = Fraction(3, 4), 6
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
    while rho <= 4:
        t += 1
        rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
    r_squared = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)
    h = radam.Hyper(lr=1.0, beta1=0.0, beta2=0.75, eps=0.0)
    zero = np.zeros(1)
    _, before = _run(radam, h, zero, [[1.0]] * (t - 1))
    _, after = _run(radam, h, zero, [[1.0]] * t)
    assert f"{before[0] - after[0]:.12f}" == f"{math.sqrt(r_squared):.12f}"


@pytest.mark.parametrize("beta2", [0.0, 1 / 3, 0.5, 0.6])
def test_radam_with_small_beta2_never_adapts(beta2: float) -> None:
    """rho_inf <= 4, so every step is momentum without a second moment."""
    h = radam.Hyper(lr=1.0, beta1=0.5, beta2=beta2)
    _, p = _run(radam, h, np.zeros(1), [[4.0]] * 3)
    assert p.tolist() == [-12.0]


def test_rmsprop_centered_stays_finite_when_the_variance_vanishes() -> None:
    """A constant gradient: the variance goes to 0, by rounding below, and p must not be nan."""
    h = rmsprop.Hyper(alpha=0.9, centered=True)
    _, p = _run(rmsprop, h, np.zeros(1), [[0.3]] * 1000)
    assert np.isfinite(p).all()


def test_rmsprop_momentum_forms_part_when_lr_changes() -> None:
    """lr inside the buffer keeps the lr of the gradient's own time."""
    ends = {}
    form: Any
    for form in ("lr_outside", "lr_inside"):
        p = np.zeros(1)
        s = rmsprop.init(rmsprop.Hyper(), p)
        for lr, g in ((1.0, 1.0), (0.5, 0.0)):
            h = rmsprop.Hyper(lr=lr, alpha=0.0, eps=1.0, momentum=0.5, momentum_form=form)
            s, p = rmsprop.step(h, s, p, np.array([g]))
        ends[form] = p.tolist()
    assert ends == {"lr_outside": [-0.625], "lr_inside": [-0.75]}


def test_adamax_keeps_eps_in_its_maximum_only_in_pytorchs_form() -> None:
    """With g = 0 PyTorch's u becomes eps; Keras's stays 0 and eps is added when dividing."""
    placement: Any
    for placement, u in (("in_maximum", 0.25), ("outside", 0.0)):
        h = adamax.Hyper(eps=0.25, eps_placement=placement)
        s, p = _run(adamax, h, np.ones(1), [[0.0]])
        assert s.u.tolist() == [u]
        assert p.tolist() == [1.0]
        h = adamax.Hyper(lr=0.5, beta1=0.5, eps=1.0, eps_placement=placement)
        assert _run(adamax, h, np.zeros(1), [[3.0]])[1].tolist() == [-0.375]


def test_adamax_remembers_the_largest_gradient_in_both_places_of_eps() -> None:
    """u decays by beta2 from a large gradient and is not replaced by a small one."""
    placement: Any
    for placement in ("in_maximum", "outside"):
        h = adamax.Hyper(beta2=0.5, eps=0.0, eps_placement=placement)
        assert _run(adamax, h, np.zeros(1), [[8.0], [1.0], [1.0]])[0].u.tolist() == [2.0]


def test_buffers_hold_what_their_form_says() -> None:
    """Forms that give the same points with constant lr differ in what they store."""
    g = np.array([4.0])
    form: Any
    for form, b in (("lr_inside", 0.5), ("lr_outside", 1.0)):
        h = lars.Hyper(lr=0.5, trust_coefficient=0.5, momentum_form=form)
        assert _run(lars, h, np.array([2.0]), [g])[0].b.tolist() == [b], form
    for form, u in (("lookahead", -2.0), ("torch", 4.0), ("keras", -2.0)):
        n = nesterov.Hyper(lr=0.5, form=form)
        assert _run(nesterov, n, np.zeros(1), [g])[0].u.tolist() == [u], form
    centered = _run(rmsprop, rmsprop.Hyper(alpha=0.5, centered=True), np.zeros(1), [g, g])[0]
    assert centered.mean.tolist() == [3.0]


def test_lion_takes_the_sign_from_the_old_average_and_refreshes_it_after() -> None:
    """After an opposite gradient c keeps the old sign, with beta1 large, although m has turned."""
    h = lion.Hyper(lr=0.5, beta1=0.75, beta2=0.0, weight_decay=0.5)
    s, p = _run(lion, h, np.array([1.0]), [[1.0], [-1.0]])
    # By hand: 1 - (1 + 1/2) / 2 = 1/4; then c = 3/4 - 1/4 > 0, 1/4 - (1 + 1/8) / 2.
    assert p.tolist() == [-0.3125] and s.m.tolist() == [-1.0]


def test_lion_with_coupled_decay_decays_inside_the_sign() -> None:
    """g + weight_decay p turns the sign and enters the average."""
    h = lion.Hyper(lr=0.5, beta2=0.75, weight_decay=0.5, decay="coupled")
    s, p = _run(lion, h, np.array([4.0]), [[-1.0]])
    assert (p.tolist(), s.m.tolist()) == ([3.5], [0.25])


def test_sign_methods_decay_outside_or_inside_the_sign() -> None:
    """Coupled decay only tips the sign; decay before the step moves p in proportion."""
    p = np.array([4.0, -1.0, -4.0])
    for decay, expected in (("before", [2.5, -1.25, -3.5]), ("coupled", [3.5, -1.5, -3.5])):
        for module in (signsgd, signum):
            h = module.Hyper(lr=0.5, weight_decay=0.5, decay=decay)
            _, moved = _run(module, h, p, [[1.0, 1.0, 1.0]])
            assert moved.tolist() == expected, (module.__name__, decay)


def test_signum_average_and_sum_give_the_same_points() -> None:
    """The buffers differ by the factor 1 - momentum, the signs do not."""
    rng = np.random.default_rng(3)
    gradients, ends = rng.standard_normal((5, 8)), []
    buffer: Any
    for buffer in ("average", "sum"):
        h = signum.Hyper(lr=0.5, momentum=0.5, buffer=buffer)
        ends.append(_run(signum, h, np.zeros(8), gradients))
    np.testing.assert_array_equal(ends[0][1], ends[1][1])
    np.testing.assert_array_equal(2 * ends[0][0].m, ends[1][0].m)


P34 = np.array([[3.0], [4.0]])  # norm 5
G68 = np.array([[0.0], [10.0]])  # norm 10


def test_lars_undecayed_leaves_a_tensor_without_gradient_alone() -> None:
    """A zero gradient moves nothing with torch_optimizer's guard, and decays with the others'."""
    guard: Any
    for guard, kept in (("undecayed", 1.0), ("one", 0.75)):
        h = lars.Hyper(lr=0.5, momentum=0.0, weight_decay=0.5, guard=guard)
        np.testing.assert_array_equal(_run(lars, h, P34, [0 * P34])[1], kept * P34)
    nan = lars.Hyper(weight_decay=0.5, guard="undecayed")
    assert np.isnan(_run(lars, nan, P34, [P34 * np.nan])[1]).all()


def test_lars_scales_the_step_to_the_tensors_norm() -> None:
    """trust = coefficient |p| / (|g| + weight_decay |p|), or over |g + weight_decay p|."""
    h = lars.Hyper(lr=1.0, trust_coefficient=0.5, momentum=0.0)
    np.testing.assert_array_equal(_run(lars, h, P34, [G68])[1], P34 - 0.25 * G68)
    h = lars.Hyper(lr=1.0, trust_coefficient=5.0, momentum=0.0, weight_decay=0.5)
    np.testing.assert_array_equal(_run(lars, h, P34, [G68])[1], P34 - 2.0 * (G68 + 0.5 * P34))
    # |g + 2 p| with g = p: 15, against the sum of norms 5 + 10.
    h = lars.Hyper(trust_coefficient=3.0, momentum=0.0, weight_decay=2.0, ratio="norm_of_sum")
    np.testing.assert_array_equal(_run(lars, h, P34, [P34])[1], P34 - 3 * P34)
    opposite = lars.Hyper(
        trust_coefficient=1.0, momentum=0.0, weight_decay=2.0, ratio="norm_of_sum"
    )
    np.testing.assert_array_equal(_run(lars, opposite, P34, [-P34])[1], 0 * P34)


def test_lars_outside_scales_the_buffer_by_its_own_ratio_and_only_down() -> None:
    """The buffer sums gradients; trust is that of its norm, 1 where it would be more or nan."""
    fields: dict[str, Any] = {"momentum": 0.5, "momentum_form": "trust_outside"}
    form: dict[str, Any] = {**fields, "ratio": "norm_of_sum", "clip": "below_1"}
    h = lars.Hyper(lr=1.0, trust_coefficient=0.5, **form)
    # Buffers of norm 10 and 15; the second meets a tensor of norm 5 again.
    s, p = _run(lars, h, P34, [G68])
    np.testing.assert_array_equal(p, P34 - 0.25 * G68)
    s, p = lars.step(h, s, P34, G68)
    np.testing.assert_array_equal(s.b, 1.5 * G68)
    np.testing.assert_array_equal(p, P34 - 2.5 / 15 * (1.5 * G68))
    h = lars.Hyper(lr=1.0, trust_coefficient=5.0, **form)
    np.testing.assert_array_equal(_run(lars, h, P34, [G68])[1], P34 - G68)
    _, p = _run(lars, h, P34, [[[np.nan], [1.0]]])
    np.testing.assert_array_equal(p, [[np.nan], [3.0]])
    np.testing.assert_array_equal(_run(lars, h, 0 * P34, [G68])[1], 0 * P34)


def test_lamb_takes_a_ratio_below_one_of_the_tensor_before_or_after_its_decay() -> None:
    """First step, eps = 0: an update of norm 2, and a tensor of norm 1, or 1/2 once decayed."""
    p, g = np.array([1.0, 0.0, 0.0, 0.0]), np.array([1.0, 2.0, -3.0, 4.0])
    fields: dict[str, Any] = {"lr": 0.5, "eps": 0.0, "weight_decay": 1.0, "clip": "below_1"}
    decay: Any
    for decay, trust in (("after_norm", 0.5), ("before", 0.25)):
        h = lamb.Hyper(**fields, decay=decay)
        _, moved = _run(lamb, h, p, [g])
        np.testing.assert_array_equal(moved, 0.5 * p - 0.5 * trust * np.sign(g))
    h = lamb.Hyper(**fields, decay="after_norm")
    _, moved = _run(lamb, h, 4 * p, [g])
    np.testing.assert_array_equal(moved, 2 * p - 0.5 * np.sign(g))
    _, moved = _run(lamb, h, p, [[np.nan, 2.0, -3.0, 4.0]])
    np.testing.assert_array_equal(moved, [np.nan, -0.5, 0.5, -0.5])


@pytest.mark.parametrize("module", [lars, lamb])
def test_layer_wise_methods_guard_a_zero_tensor(module: Any) -> None:
    """A zero tensor is frozen by the paper's ratio and moves by the bare step with the guard."""
    zero = np.zeros((2, 1))
    _, frozen = _run(module, module.Hyper(lr=0.5), zero, [G68])
    np.testing.assert_array_equal(frozen, zero)
    _, moved = _run(module, module.Hyper(lr=0.5, guard="one"), zero, [G68])
    assert moved[1, 0] < 0 and moved[0, 0] == 0


def test_lars_without_a_gradient_decays_by_its_ratio_or_by_the_guard() -> None:
    """g = 0: the paper's ratio is coefficient / weight_decay, the guarded one 1."""
    fields: dict[str, Any] = {"momentum": 0.0, "trust_coefficient": 0.25, "weight_decay": 0.5}
    guard: Any
    for guard, expected in (("zero", 0.75), ("one", 0.5)):
        _, p = _run(lars, lars.Hyper(**fields, guard=guard), P34, [0 * P34])
        np.testing.assert_array_equal(p, expected * P34)


@pytest.mark.parametrize("module", [lars, lamb])
def test_layer_wise_methods_can_adapt_only_with_decay(module: Any) -> None:
    """With no weight decay the ratio is left out; with decay it is applied in both dialects."""
    for decay, same in ((0.0, False), (0.5, True)):
        ends = [
            _run(module, module.Hyper(lr=0.5, weight_decay=decay, adapts=a), P34, [G68])[1]
            for a in ("always", "with_decay")
        ]
        assert np.array_equal(ends[0], ends[1]) == same


def test_lamb_moves_by_lr_times_the_norm_of_the_tensor() -> None:
    """First step, eps = 0, no decay: the update is the sign of g, here of norm 2."""
    fields: dict[str, Any] = {
        "lr": 0.5,
        "beta1": 0.5,
        "beta2": 0.75,
        "eps": 0.0,
        "weight_decay": 0.0,
    }
    g = np.array([8.0, 2.0, -4.0, 1.0])  # signs of norm 2
    p = np.array([0.0, 24.0, 0.0, 32.0])  # norm 40
    clip: Any
    for clip, trust in (
        ("none", 20.0),
        ("norm_10", 5.0),
        ("ratio_1", 1.0),
        ("ratio_0.01_10", 10.0),
    ):
        _, moved = _run(lamb, lamb.Hyper(**fields, clip=clip), p, [g])
        np.testing.assert_array_equal(moved, p - 0.5 * trust * np.sign(g))
    # Outside the ratio sqrt(1 - beta2) / (1 - beta1) = 1 here; without correction nothing is lost,
    # because the ratio normalizes.
    correction: Any
    for correction in ("none", "after_ratio"):
        _, moved = _run(lamb, lamb.Hyper(**fields, bias_correction=correction), p, [g])
        np.testing.assert_array_equal(moved, p - 0.5 * 20.0 * np.sign(g))
    fields["beta1"] = 0.75
    for correction, factor in (("none", 1.0), ("after_ratio", 2.0)):
        _, moved = _run(lamb, lamb.Hyper(**fields, bias_correction=correction), p, [g])
        np.testing.assert_array_equal(moved, p - factor * 0.5 * 20.0 * np.sign(g))


def test_lamb_decay_is_inside_the_ratio_or_before_it() -> None:
    """Inside, the decay turns the update and is normalized with it; before, p shrinks by itself."""
    fields: dict[str, Any] = {
        "lr": 0.5,
        "beta1": 0.5,
        "beta2": 0.75,
        "eps": 0.0,
        "weight_decay": 0.5,
    }
    p, g = np.array([2.0]), np.array([3.0])
    # Inside: update 1 + 1 = 2, trust 2 / 2. Before: p = 1.5, update 1, trust 1.5.
    assert _run(lamb, lamb.Hyper(**fields), p, [g])[1].tolist() == [1.0]
    assert _run(lamb, lamb.Hyper(**fields, decay="before"), p, [g])[1].tolist() == [0.75]


@pytest.mark.parametrize("placement", ["before_correction", "outside"])
def test_swats_is_adam_until_it_switches(
    placement: Literal["before_correction", "outside"],
) -> None:
    """Noise never lets the implied rate settle; the points are Adam's to the last but one digit."""
    rng = np.random.default_rng(7)
    gradients, p0 = rng.standard_normal((6, 5)), np.ones(5)
    s, p = _run(swats, swats.Hyper(lr=0.1, eps_placement=placement), p0, gradients)
    other = adam.Hyper(lr=0.1, eps=1e-9, eps_placement=placement)
    _, expected = _run(adam, other, p0, gradients)
    assert float(s.switched) == 0.0
    assert [f"{x:.14f}" for x in p] == [f"{x:.14f}" for x in expected]


def test_swats_switches_to_sgd_with_the_rate_adam_implies() -> None:
    """One element, constant gradient: Adam's step is -lr, so gamma = lr / g settles at t = 2."""
    h = swats.Hyper(lr=0.5, beta1=0.5, beta2=0.75, eps=2.0**-40)
    p = np.array([16.0])
    s = swats.init(h, p)
    path, switched, adams = [], [], []
    for _ in range(4):
        s, p = swats.step(h, s, p, np.array([4.0]))
        adams.append((float(s.m[0]), float(s.v[0]), float(s.average)))
        path.append(float(p[0]))
        switched.append(float(s.switched))
    assert switched == [0.0, 1.0, 1.0, 1.0]
    assert adams[1] == adams[2] == adams[3] and 0.0 not in adams[3]
    # Two steps of 0.5; then v = 4 and 6 from a zero buffer, steps (1 - 1/2) (1/8) v.
    assert [f"{x:.9f}" for x in path] == [
        "15.500000000",
        "15.000000000",
        "14.750000000",
        "14.375000000",
    ]
    assert f"{float(s.sgd_lr):.9f}" == "0.125000000"


def test_swats_does_not_switch_on_a_zero_gradient() -> None:
    """Where the step is orthogonal to the gradient the average stays as it is."""
    s, p = _run(swats, swats.Hyper(), np.ones(3), [[0.0, 0.0, 0.0]] * 3)
    assert (float(s.switched), float(s.average), p.tolist()) == (0.0, 0.0, [1.0, 1.0, 1.0])
    s, p = _run(swats, swats.Hyper(lr=0.5), np.ones(1), [[4.0]])
    later, moved = swats.step(swats.Hyper(lr=0.5), s, p, np.zeros(1))
    assert later.average == s.average != 0.0
    assert moved < p


@pytest.mark.parametrize("rule", ["adagrad", "adadelta", "adamax", "nadam", "radam", "rmsprop"])
def test_decay_before_the_step_leaves_the_moments_alone(rule: str) -> None:
    """Coupled decay enters the moments, decay before the step does not."""
    module = OPTIMIZERS[rule]
    states = {}
    for decay, weight_decay in (("before", 0.5), ("before", 0.0), ("coupled", 0.5)):
        h = module.Hyper(lr=0.5, weight_decay=weight_decay, decay=decay)
        s, p = module.step(h, module.init(h, np.ones(1)), np.ones(1), np.array([0.25]))
        states[decay, weight_decay] = (s, p)
    with_decay, without, coupled = states.values()
    second = next(name for name in ("v", "total", "u") if hasattr(with_decay[0], name))
    assert getattr(with_decay[0], second) == getattr(without[0], second)
    assert getattr(coupled[0], second) != getattr(without[0], second)
    assert f"{float(without[1][0] - with_decay[1][0]):.14f}" == f"{0.5 * 0.5:.14f}"
