"""Every hyperparameter is alive: changing it alone changes what a rule gives, somewhere."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from truestep.properties.kinds.optimizer.laws.definitions import RULES, handed, inputs_of
from truestep.reference.quantizers import QUANTIZERS

pytestmark = pytest.mark.power

STEPS = 4
# Rules in which something begins later.
LATER = {"radam": 8, "ranger": 8, "spam": 8}
# Numbers at which a rule shows all its terms, by name of the field; a Hyper's own default where
# there is none.
ACTIVE: dict[str, Any] = {
    "alpha_warmup": 3,
    "beta3_warmup": 3,
    "calm": 1,
    "dampening": 0.5,
    "initial": 0.1,
    "initial_total": 0.1,
    "initial_v": 0.1,
    "lambd": 0.1,
    "lr": 0.1,
    "lr_decay": 0.1,
    "memory": 2,
    "momentum": 0.9,
    "offset": 1.0,
    "period": 2,
    "precondition_frequency": 2,
    "r": 1.0,
    "rank": 2,
    "reset": 3,
    "start": 2,
    "t0": 1,
    "target": 0.5,
    "threshold": 0.5,
    "update_gap": 2,
    "warmup": 2,
    "warmup_steps": 3,
    "weight_decay": 0.1,
}
# Other values, for fields that neither half of the value nor one more is one.
OTHERS: dict[str, Any] = {
    "c1": 0.45,
    "c2": 0.01,
    "max_dim": 2,
    "min_size": 100,
    "sigma_high": 1.1,
    "size_max": 0.11,
    "tolerance_change": 100.0,
    "tolerance_grad": 100.0,
}
# What else has to be so before a field is read.
NEEDED: dict[tuple[str, str], Mapping[str, Any]] = {
    ("adagrad", "guard"): {"eps": 0.0, "initial_total": 0.0},
    ("adamp", "cosine"): {"eps": 1.0},
    ("adanorm", "decay"): {"r": 0.5},
    ("adam_mini", "heads"): {"blocks": "heads"},
    ("adashift", "eps"): {"keep_num": 1},
    ("adashift", "lr"): {"keep_num": 1},
    ("adashift", "squares"): {"keep_num": 1},
    ("amos", "guard"): {"eps": 1e-3},
    ("apollo", "scale_placement"): {"scale": 2.0},
    ("dadapt_adagrad", "growth"): {"lr": 100.0},
    ("dadapt_adagrad", "sums"): {"eps": 1.0},
    ("dadapt_adan", "growth"): {"lr": 100.0},
    ("dadapt_sgd", "growth"): {"lr": 100.0},
    ("distributed_shampoo", "timing"): {"start": 1},
    ("kbfgs", "skip"): {"damping": 1e-12},
    ("lamb", "adapts"): {"weight_decay": 0.0},
    ("lbfgs", "c1"): {"line_search": "backtracking", "lr": 1.0},
    ("madgrad", "guard"): {"eps": 0.0, "weight_decay": 0.0},
    ("momo_adam", "guard"): {"eps": 1.0},
    ("online_lbfgs", "rank_one"): {"c": 0.5},
    ("rprop", "limits"): {"size_max": 0.05},
    ("sgdp", "cosine"): {"eps": 1.0},
}

# The seed of the case in which derivatives are the same before and after a step.
UNCHANGED = 10
SHAPES = ((4,), (130,), (3, 4), (2, 3, 4))


def cases(rule: str) -> Iterator[tuple[Any, list[Any], int]]:
    """Parameters, gradients and seeds: usual ones, then zeros, large ones, inf, nan, one zero."""
    steps = LATER.get(rule, STEPS)
    for seed, shape in enumerate(SHAPES):
        rng = np.random.default_rng(seed)
        p = rng.standard_normal(shape)
        yield p, [rng.standard_normal(shape) for _ in range(steps)], seed
    rng = np.random.default_rng(99)
    p, g = rng.standard_normal((3, 4)), [rng.standard_normal((3, 4)) for _ in range(steps)]
    for scale, shift in (
        (0.0, 1.0),
        (1.0, 0.0),
        (0.0, 0.0),
        (1e3, 1e3),
        (1e-6, 1e-9),
        (1.0, -40.0),
    ):
        yield p * scale, [x * shift for x in g], 7
    for value in (np.inf, np.nan):
        yield p, [np.where(p > 1, value, g[0]), *g[1:]], 8
    yield p, [g[0] * 0, *g[1:]], 9
    yield p, g, UNCHANGED


def path(rule: str, fields: Mapping[str, Any], p: Any, gradients: list[Any], seed: int) -> Any:
    """Everything that a rule gives over some steps, as bytes; an error by its type."""
    module, rng = RULES[rule], np.random.default_rng(seed)
    out: list[Any] = []
    try:
        h = module.Hyper(**fields)
        with np.errstate(all="ignore"):
            s = module.init(h, p)
            for g in gradients:
                shapes = inputs_of(rule, p.shape)
                drawn = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
                drawn |= {k: np.sign(x) for k, x in drawn.items() if k == "response"}
                if seed == UNCHANGED:
                    drawn |= {k: x * 0 + 1 for k, x in drawn.items() if "derivatives" in k}
                first, others = handed(rule, g, drawn, np.asarray)
                s, p = module.step(h, s, p, first, **others)
                state = [np.asarray(getattr(s, f)) for f in module.State.__dataclass_fields__]
                out += [(x.shape, x.tobytes()) for x in (np.asarray(p), *state)]
    except (ArithmeticError, ValueError, np.linalg.LinAlgError) as error:
        out.append(type(error))
    return out


def bases(rule: str) -> Iterator[dict[str, Any]]:
    """Hyperparameters in every dialect that is one or two choices away, all terms active."""
    module = RULES[rule]
    own = {f: getattr(module.Hyper(), f) for f in module.Hyper.__dataclass_fields__}
    active = own | {k: x for k, x in ACTIVE.items() if k in own and k not in module.DIALECTS}
    choices = [(f, v) for f, values in module.DIALECTS.items() for v in values if v != own[f]]
    yield active
    yield own
    for choice in choices:
        yield active | dict([choice])
    for pair in itertools.combinations(choices, 2):
        if pair[0][0] != pair[1][0]:
            yield active | dict(pair)


def alternatives(rule: str, field: str, value: Any) -> list[Any]:
    """Other values of a field."""
    if field in RULES[rule].DIALECTS:
        return [x for x in RULES[rule].DIALECTS[field] if x != value]
    if isinstance(value, bool):
        return [not value]
    if field in OTHERS:
        return [OTHERS[field]]
    return [value + 1, max(1, value - 1)] if isinstance(value, int) else [value / 2, value + 0.125]


def alive(rule: str, field: str, choice: Any = None) -> bool:
    """Whether changing the field, to this choice if one is given, changes anything anywhere."""
    for base in bases(rule):
        start = base | dict(NEEDED.get((rule, field), {}))
        others = [choice] if choice is not None else alternatives(rule, field, start[field])
        others = [x for x in others if x != start[field]]
        for p, gradients, seed in cases(rule) if others else ():
            seen = path(rule, start, p, gradients, seed)
            if any(path(rule, start | {field: x}, p, gradients, seed) != seen for x in others):
                return True
    return False


@pytest.mark.parametrize("rule", RULES)
def test_every_hyperparameter_is_alive(rule: str) -> None:
    """No field of a Hyper, and no choice of a dialect, is without effect."""
    module = RULES[rule]
    own = module.Hyper()
    dead = []
    for field in module.Hyper.__dataclass_fields__:
        choices = [x for x in module.DIALECTS.get(field, {}) if x != getattr(own, field)]
        dead += [(field, x) for x in choices or [None] if not alive(rule, field, x)]
    assert not dead, f"{rule}: without effect in all cases: {dead}"


def test_listed_fields_are_fields() -> None:
    """What is said of a field is said of one that is there."""
    for rule, field in NEEDED:
        assert field in RULES[rule].Hyper.__dataclass_fields__


def coded(name: str, fields: Mapping[str, Any]) -> bytes:
    """Codes, values and admissible codes of numbers at thresholds, of zeros, infinities and nan."""
    module, rng = QUANTIZERS[name], np.random.default_rng(5)
    h = module.Hyper(**fields)
    most = module.extreme(h) if module.BLOCKS else 1.0
    t = np.array([x for x in module.thresholds(h) if abs(x) < most])
    scales = (float(np.float32(0.7)), 0.6875)
    parts = [
        _beside(most, t),
        *(
            _beside(s * most, s * t * (1 + k * 2.0**-24))
            for s in scales
            for k in (0, 1.5, 2.5, 3.5, 7.5)
        ),
        np.append(rng.uniform(-1, 1, 15), 1.998),
        np.append(rng.standard_normal(300), np.nan),
        rng.standard_normal(4096),
        rng.standard_normal(4096) * 1e-3,
        rng.standard_normal(4096) * 1e300,
        np.array([np.inf]),
        np.zeros(64),
    ]
    return b"".join(_stored(module, h, part, rng, fields.get("rounding")) for part in parts)


def _beside(most: float, x: Any) -> Any:
    """x with 0 and this number beside every fourteen of them, so that every block has both."""
    rows = np.append(x, np.zeros(-x.size % 14)).reshape(-1, 14)
    return np.pad(np.insert(rows, 0, most, axis=1), [(0, 0), (0, 1)]).reshape(-1)


def _stored(module: Any, h: Any, x: Any, rng: np.random.Generator, rounding: object) -> bytes:
    if getattr(getattr(module, "row", None), "grouping", "") == "column":
        x = x.reshape(-1, 1)
    more = (rng.integers(0, 2**16, x.shape),) if rounding == "stochastic" else ()
    with np.errstate(all="ignore"):
        codes = module.encode(h, x, *more)
        kept = codes if isinstance(codes, tuple) else (codes,)
        found = (*kept, module.decode(h, *kept), *module.admissible(h, x, *kept[1:]))
    return b"".join(np.asarray(part).tobytes() for part in found)


@pytest.mark.parametrize("name", QUANTIZERS)
def test_every_hyperparameter_of_a_quantizer_is_alive(name: str) -> None:
    """No field and no choice of a dialect gives the codes and the values of another."""
    module = QUANTIZERS[name]
    own = {f: getattr(module.Hyper(), f) for f in module.Hyper.__dataclass_fields__}
    others = {
        "absmax_floor": [0.5], "block_size": [256], "least": [2.0**-6], "signed": [False],
        "sample": [1], "second_size": [4], "tensor_scale": [0.001],
    }  # fmt: skip
    for field, value in own.items():
        for other in others.get(field) or [x for x in module.DIALECTS[field] if x != value]:
            unsigned = np.min(module.all_values(module.Hyper())) >= 0
            if (field, other) == ("ties", "toward_zero") and unsigned:
                continue  # toward zero is lower
            if field == "second_ties":
                continue  # of dynamic_8bit, where they are alive
            # Which of a scale and its reciprocal is kept shows where either is rounded.
            base = own | ({"tensor_scale": 0.001} if field == "level" else {})
            assert coded(name, base | {field: other}) != coded(name, base), (field, other)
