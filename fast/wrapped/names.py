"""Whose hyperparameters are whose: a rule's fields and the names that libraries give them."""

from collections.abc import Mapping

from truestep.reference.declared import Count, Flag, Real
from truestep.reference.rules import Optimizer

# By field of a reference's Hyper: its other names, the most usual first.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "alpha": ("alpha", "rho", "beta2", "decay", "decay_rate"),
    "beta": ("beta1", "momentum"),
    "beta1": ("b1", "beta", "momentum", "momentum_decay_rate"),
    "beta2": ("b2", "rho", "decay_rate"),
    "beta3": ("b3",),
    "clip_norm": ("clip_grad_norm", "max_grad_norm", "max_norm"),
    "clip_threshold": ("d", "clipping_threshold"),
    "clip_value": ("clip_grad_value", "max_value"),
    "decay_rate": ("beta2_decay",),
    "eps": ("epsilon", "eps_root", "matrix_eps", "damping", "delta"),
    "eps1": ("epsilon1", "eps"),
    "eps2": ("epsilon2",),
    "lr": ("learning_rate", "eta", "step_size", "stepsize", "rate", "alpha", "gamma"),
    "initial": ("initial_accumulator", "initial_accumulator_value"),
    "initial_total": ("initial_accumulator_value", "initial_accumulator"),
    "limit": ("p", "rho", "clip_threshold"),
    "max_dim": ("max_precondition_dim",),
    "maximize": ("maximise",),
    "momentum": ("mu", "beta", "beta1", "b1", "momentum_beta", "momentum_factor"),
    "nesterov": ("use_nesterov",),
    "ns_steps": ("newton_schulz_steps", "steps"),
    "period": ("update_period", "hessian_interval"),
    "precondition_frequency": ("preconditioning_compute_steps", "update_freq"),
    "rho": ("beta", "decay", "alpha"),
    "trust_coefficient": ("trust_coef", "eeta"),
    "update_gap": ("update_proj_gap",),
    "weight_decay": ("wd", "weight_decay_rate", "decay", "l2", "lambda_", "lambd"),
}
# By name of a tuple: the fields that it holds, in its order.
TUPLES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "betas": (
        ("beta1", "beta2"),
        ("beta1", "beta2", "beta3"),
        ("momentum", "beta2"),
        ("beta1", "beta2_cap"),
    ),
    "eps": (("eps1", "eps2"),),
    "ns_coefficients": (("ns_a", "ns_b", "ns_c"),),
    "nus": (("nu1", "nu2"),),
}

# Of numbers that have no default: what is given at first.
REQUIRED: Mapping[str, object] = {
    "alpha": 0.03, "betas": (0.9, 0.99), "beta1": 0.9, "beta2": 0.99, "eps": 1e-8,
    "learning_rate": 0.03, "lr": 0.03, "momentum": 0.9, "weight_decay": 0.0,
}  # fmt: skip


def paired(rule: Optimizer, offered: Mapping[str, object]) -> dict[str, str]:
    """A rule's numbers and what the optimizer calls them; several that share a name: its tuple.

    offered: the optimizer's numbers by name, with their defaults. "-" stands before the name of
    what it takes the negative of.
    """
    found: dict[str, str] = {}
    for name, value in offered.items():
        if not isinstance(value, tuple):
            continue
        for fields in TUPLES.get(name, ()):
            if len(fields) == len(value) and all(f in rule.Hyper.RANGES for f in fields):
                found |= dict.fromkeys(fields, name)
                break
    called = {_plain(name): name for name in offered}
    # Every field's own name comes before any synonym.
    for names in ({}, SYNONYMS):
        for field in rule.Hyper.RANGES:
            for known in (field, *names.get(field, ())):
                name = called.get(_plain(known), known)
                taken = name in found.values() or field in found
                if taken or name not in offered:
                    continue
                # What is None stands for a number under the field's own name alone.
                value = getattr(rule.Hyper(), field) if known == field else None
                value = value if offered[name] is None else offered[name]
                if _fits(rule, field, value):
                    found[field] = _signed(rule, field, name, value)
    order = list(rule.Hyper.RANGES)
    return {field: found[field] for field in sorted(found, key=order.index)}


def _plain(name: str) -> str:
    """A name without what libraries write otherwise: beta_1, beta1."""
    return name.replace("_", "").lower()


def _fits(rule: Optimizer, field: str, value: object) -> bool:
    limits = rule.Hyper.RANGES[field]
    if isinstance(limits, Flag):
        return isinstance(value, bool)
    if isinstance(limits, Count):
        return type(value) in (int, float) and float(value).is_integer()  # type: ignore[arg-type]
    return isinstance(limits, Real) and type(value) in (int, float)


def _signed(rule: Optimizer, field: str, name: str, value: object) -> str:
    limits = rule.Hyper.RANGES[field]
    negative = isinstance(limits, Real) and limits.low >= 0 and float(value) < 0  # type: ignore[arg-type]
    return f"-{name}" if negative else name


def renamed(numbers: Mapping[str, str], values: Mapping[str, object]) -> dict[str, object]:
    """The values of a rule's fields under the optimizer's names."""
    out: dict[str, list[object]] = {}
    for ours, theirs in numbers.items():
        value = values[ours]
        if theirs[0] == "-":
            value = -value  # type: ignore[operator]
        out.setdefault(theirs.removeprefix("-"), []).append(value)
    return {name: tuple(x) if len(x) > 1 else x[0] for name, x in out.items()}
