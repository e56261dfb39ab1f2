"""Optimizer classes are understood as the hand-written rows of their libraries are."""

# ruff: noqa: E402 - the imports after the skip need torch

from __future__ import annotations

import functools

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from truestep import wrap
from truestep.fast.discovery import BrokenBackend
from truestep.fast.peers.torch_like import Row
from truestep.fast.wrapped.torch_classes import Class
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reports.unadapted import WITHOUT_ROWS

# Forms that only a statistic of exactly 5 tells apart: no step reaches it.
ALIKE = {"above_5": "from_5"}
# State that the rows bridge, under the library's names or joined from several.
BRIDGED = {
    "adam_mini": {"v": "v_mean"},
    "aggmo": {f"b{i + 1}": f"momentum_buffer/{i}" for i in range(3)},
    "nadam": {"mu_product": "mu_product"},
    "shampoo": {"factors": "pre_cond_", "roots": "inv_pre_cond_"},
    "sm3": {"mu": "accumulator_"},
    "soap": {"bases": "Q/", "factors": "GG/"},
    "swats": {"average": "exp_avg2"},
    "prodigy": {"d": "d", "d_max": "d_max", "r": "d_numerator"},
}


# Choices that are not compared. prodigy: the row leaves growth_rate at infinity, where both are
# one. shampoo: rounding makes no eigenvalue of these factors negative.
OPEN = {"prodigy": "growth", "shampoo": "spectrum"}


def state(backend: object) -> dict[str, str]:
    """The rule's fields and the optimizer's names, "-" before what it keeps the negative of."""
    found = backend.found  # type: ignore[attr-defined]
    return {f: f"{'-' if p.negative else ''}{p.name}" for f, p in found.state.items()}


def dialect(row: Row) -> dict[str, str]:
    """A row's choices, those that no step tells apart under one name."""
    return {
        name: ALIKE.get(value, value)
        for name, value in row.dialect.items()
        if name != OPEN.get(row.rule)
    }


def own(rule: str) -> dict[str, str]:
    """A rule's own choices."""
    hyper = OPTIMIZERS[rule].Hyper()
    return {name: getattr(hyper, name) for name in OPTIMIZERS[rule].DIALECTS}


def kept(row: Row, rule: str) -> dict[str, str]:
    """A row's state, bridged fields included."""
    shared = {f: name for f, name in row.shared.items() if f != "t"}
    return {**row.state, **shared, **BRIDGED.get(rule, {})}


TORCH = [
    ("Adadelta", "adadelta"),
    ("Adafactor", "adafactor"),
    ("Adagrad", "adagrad"),
    ("Adam", "adam"),
    ("Adam", "amsgrad"),
    ("AdamW", "adamw"),
    ("Adamax", "adamax"),
    ("ASGD", "asgd"),
    ("Muon", "muon"),
    ("NAdam", "nadam"),
    ("RAdam", "radam"),
    ("RMSprop", "rmsprop"),
    ("SGD", "nesterov"),
    ("SGD", "sgd"),
    ("SparseAdam", "adam"),
]


@pytest.mark.parametrize(("name", "rule"), TORCH)
def test_torch_optim(name: str, rule: str) -> None:
    """Dialect, state and numbers of every optimizer of torch.optim are those of its row."""
    from truestep.fast.peers.torch.rows import ROWS

    leading = ("original", "single", "sparse")
    [row, *_] = [
        r for r in ROWS if (r.optimizer, r.rule) == (name, rule) and set(r.paths) & set(leading)
    ]
    backend = wrap.torch(getattr(torch.optim, name), rule)
    due = dialect(row)
    if row.fixed.get("weight_decay") == 0:
        del due["decay"]  # there is none
    assert dialect(backend.rows[0]) == due
    assert state(backend) == kept(row, rule)
    numbers = {f: n for f, n in backend.rows[0].numbers.items() if f in row.numbers}
    assert numbers == row.numbers


@pytest.mark.parametrize("name", ["ASGD", "AdamW", "SGD"])
def test_the_rule_is_found(name: str) -> None:
    """Without a rule, the one that explains the optimizer's numbers and state."""
    assert wrap.torch(getattr(torch.optim, name)).found.rule == name.lower()


# Class, rule, and what the constructor is told besides.
COLLECTION: list[tuple[str, str, dict[str, object]]] = [
    ("AdaBelief", "adabelief", {}),
    ("AdaBound", "adabound", {}),
    ("AdaDelta", "adadelta", {}),
    (
        "AdaFactor",
        "adafactor",
        {"betas": (None, 0.999), "relative_step": False, "scale_parameter": False},
    ),
    ("AdaMax", "adamax", {}),
    ("AdamMini", "adam_mini", {}),
    ("Adan", "adan", {}),
    ("AdEMAMix", "ademamix", {}),
    ("ADOPT", "adopt", {"clip_lambda": None}),
    ("AggMo", "aggmo", {}),
    ("CAME", "came", {}),
    ("DiffGrad", "diffgrad", {}),
    ("Fromage", "fromage", {}),
    ("Grams", "grams", {}),
    ("Lamb", "lamb", {"adam_debias": True}),
    ("LaProp", "laprop", {}),
    ("LARS", "lars", {}),
    ("Lion", "lion", {}),
    ("Lion", "lion", {"weight_decouple": False}),
    ("Lion", "lion", {"fixed_decay": True}),
    ("Muon", "muon", {"use_muon": True}),
    # Its base class leaves it a switch that it does not read.
    ("MuonClip", "muon", {"use_muon": True}),
    ("NovoGrad", "novograd", {}),
    ("Prodigy", "prodigy", {}),
    ("QHAdam", "qhadam", {}),
    ("QHM", "qhm", {}),
    ("RAdam", "radam", {}),
    ("ScheduleFreeAdamW", "schedule_free_adamw", {}),
    ("ScheduleFreeSGD", "schedule_free_sgd", {}),
    ("SGDW", "nesterov", {}),
    ("SGDW", "sgd", {}),
    ("Shampoo", "shampoo", {}),
    ("SignSGD", "signsgd", {"momentum": 0.0}),
    ("SignSGD", "signum", {}),
    ("SM3", "sm3", {}),
    # It keeps nothing of axes that are too long.
    ("SOAP", "soap", {}),
    ("StableAdamW", "stable_adamw", {}),
    ("SWATS", "swats", {}),
    ("Tiger", "signum", {}),
    ("Yogi", "yogi", {}),
]
# Of classes without a row: the rule that they compute, made so, and in which form.
FORMS: dict[str, tuple[str, dict[str, str]]] = {
    "AdamS": ("adam", {}),
    "AdamWSN": ("adamw", {"decay": "after", "eps_placement": "before_correction"}),
    "Fira": ("adamw", {"decay": "after", "eps_placement": "before_correction"}),
    "GrokFastAdamW": ("adamw", {"decay": "before", "eps_placement": "floor"}),
    "PAdam": ("adam", {"eps_placement": "before_correction"}),
    "ScheduleFreeRAdam": (
        "schedule_free_adamw",
        {"bias_correction": "moment", "rectification": "silent"},
    ),
}
# What is found, but fails as wrapped: no trial reaches its switch.
FAILS = {"SWATS"}


@pytest.mark.parametrize(("name", "rule", "options"), COLLECTION)
def test_pytorch_optimizer(name: str, rule: str, options: dict[str, object]) -> None:
    """Of pytorch-optimizer's classes some row has the form that is found, and the state."""
    library = pytest.importorskip("pytorch_optimizer", reason="pytorch_optimizer is not installed")
    from truestep.fast.peers.pytorch_optimizer.rows import ROWS

    backend = wrap.torch(getattr(library, name), rule, **options)
    rows = [row for row in ROWS if (row.optimizer, row.rule) == (name, rule)]
    assert own(rule) | dialect(backend.rows[0]) in [own(rule) | dialect(row) for row in rows]
    assert any(state(backend).items() <= kept(row, rule).items() for row in rows)


@pytest.mark.parametrize("name", FORMS)
def test_classes_without_a_row(name: str) -> None:
    """They are understood as those with one are."""
    library = pytest.importorskip("pytorch_optimizer", reason="pytorch_optimizer is not installed")
    rule, due = FORMS[name]
    options = WITHOUT_ROWS["pytorch_optimizer"][name]
    found = wrap.torch(getattr(library, name), rule, **options).found
    assert own(rule) | found.dialect == own(rule) | due


def test_forty_classes_are_understood() -> None:
    """Those above, each by its test."""
    assert FORMS.keys() == WITHOUT_ROWS["pytorch_optimizer"].keys()
    assert len({name for name, _, _ in COLLECTION} - FAILS | FORMS.keys()) >= 40


def test_a_constructor_that_needs_more() -> None:
    """What it needs is named; a partial function that gives it is wrapped."""

    class Needy(torch.optim.SGD):
        def __init__(self, params: object, schedule: object, lr: float = 1e-3) -> None:
            super().__init__(params, lr=lr)

    with pytest.raises(BrokenBackend, match="its constructor needs schedule besides"):
        wrap.torch(Needy, "sgd")
    assert wrap.torch(functools.partial(Needy, schedule=None), "sgd").found.rule == "sgd"


@pytest.mark.parametrize(
    ("make", "rule", "said"),
    [
        (torch.nn.Linear, "sgd", "is no torch.optim.Optimizer"),
        (lambda params: torch.nn.Linear(1, 1), "sgd", "makes a Linear, not a"),
        (torch.optim.LBFGS, "sgd", "missing 1 required positional argument: 'closure'"),
        (torch.optim.SGD, "sgdd", "no optimizer rule 'sgdd' .did you mean 'sgd'"),
        (torch.optim.SGD, "kfac", "kfac takes activations, derivatives too"),
        (torch.optim.SGD, "adam", "does not compute adam in any form; the nearest"),
    ],
)
def test_wrong_inputs_end_in_one_line(make: object, rule: str, said: str) -> None:
    """The line says what was wrong."""
    with pytest.raises(BrokenBackend, match=said) as raised:
        wrap.torch(make, rule)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


def test_an_argument_that_nobody_reads_is_refused() -> None:
    """A mistyped one would be left out without a word; what a step reads from its group is not."""

    class Halved(torch.optim.SGD):
        @torch.no_grad()
        def step(self, closure: None = None) -> None:
            for group in self.param_groups:
                sign = -1.0 if "ascent" in group else 1.0
                for p in group["params"]:
                    p -= group["lr"] * sign * group.get("share", 1.0) * p.grad

    assert Class(Halved, {"share": 0.5, "ascent": True}).options == {"share": 0.5, "ascent": True}
    with pytest.raises(BrokenBackend, match="takes no shair, and a step reads none"):
        Class(Halved, {"share": 0.5, "shair": 0.5})
    with pytest.raises(BrokenBackend, match="Adam: its constructor takes no momentum,"):
        Class(torch.optim.Adam, {"momentum": 0.9})
