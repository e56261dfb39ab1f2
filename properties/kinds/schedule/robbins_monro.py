"""Which step sizes satisfy the conditions of Robbins and Monro, with the proof of each verdict.

The conditions, (i) sum a_t = inf and (ii) sum a_t^2 < inf, concern the tail alone, so every verdict
is a proof (a certificate of the reference), never a sum. A schedule with a horizon is judged by
what it does past it.
"""

from dataclasses import dataclass

from truestep.fast.protocol import Number
from truestep.reference.declared import Hyper
from truestep.reference.robbins_monro import satisfies_both
from truestep.reference.schedules import SCHEDULES

CONDITIONS = (
    "Robbins and Monro (1951) ask for (i) sum a_t = inf and (ii) sum a_t^2 < inf. Both concern the "
    "tail alone, so no finite number of values decides them; each verdict is a proof. The "
    "conditions suffice for convergence under noise of bounded variance. They are not necessary."
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One schedule's step sizes: each condition, None where no proof exists, and the proof."""

    formula: str
    rule: str
    sum_diverges: bool | None
    squares_converge: bool | None
    both: bool | None
    proof: str

    def to_json(self) -> dict[str, object]:
        """A dictionary that json accepts."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def verdict(rule: str, hyper: Hyper, formula: str = "") -> Verdict:
    """The verdict on a schedule with these hyperparameters."""
    certificate = SCHEDULES[rule].certificate(hyper)
    return Verdict(
        formula=formula or rule,
        rule=rule,
        sum_diverges=certificate.sum_diverges,
        squares_converge=certificate.squares_converge,
        both=satisfies_both(certificate),
        proof=str(certificate),
    )


# What a reader should know of every rule: its own form, and the choices that decide differently.
# Numbers are small, so that the constants of the proofs stay readable; no verdict depends on them.
NOTED: dict[str, tuple[tuple[str, dict[str, Number]], ...]] = {
    "chebyshev": (("Chebyshev steps, again and again", {}),),
    "constant": (("a_t = c, a constant", {"lr": 0.1}),),
    "constant_factor": (("a third of c at first, then c", {"lr": 0.1}),),
    "cosine": (
        ("cosine, then held at 0", {"lr": 0.1}),
        ("cosine, then held at min_lr > 0", {"lr": 0.1, "min_lr": 0.01}),
        ("cosine that bounces past its horizon", {"lr": 0.1, "after": "bounce"}),
    ),
    "cyclic": (
        ("triangles down to min_lr > 0", {}),
        ("triangles that halve, to 0", {"min_lr": 0.0, "mode": "triangular2"}),
    ),
    "exponential": (("a_t = c gamma^t, gamma < 1", {"lr": 0.1}),),
    "inverse_sqrt": (("warm-up, then c / sqrt(t)", {}),),
    "inverse_time": (("a_t = c / (1 + d t)", {}),),
    "linear": (("a line down to 0, then held", {}),),
    "linear_warmup_cosine": (
        ("warm-up, cosine, then held at 0", {}),
        ("warm-up and a cosine that bounces", {"after": "bounce"}),
    ),
    "linear_warmup_exponential": (("warm-up, then c gamma^t", {"lr": 0.1}),),
    "linear_warmup_polynomial": (("warm-up, a power of the time left, then 0", {}),),
    "multi_step": (("finitely many milestones", {}),),
    "noam": (("the Transformer's schedule", {}),),
    "one_cycle": (("one cycle, then an error", {}), ("one cycle, then held", {"after": "hold"})),
    "piecewise_interpolate": (("lines between finitely many milestones", {}),),
    "polynomial": (("a power of the time left, then 0", {}),),
    "power": (
        ("a_t = c / t", {"lr": 1.0, "power": 1.0}),
        ("a_t = c / sqrt(t)", {"lr": 1.0, "power": 0.5}),
        ("a_t = c / t^(3/4)", {"lr": 1.0, "power": 0.75}),
    ),
    "rex": (("a ratio of the time left, then 0", {}),),
    "warm_restarts": (
        ("restarts at one height, cycles twice as long", {"lr": 1.0}),
        ("restarts at 0.6 of the height, cycles twice as long", {"lr": 1.0, "decay": 0.6}),
    ),
    "warmup_stable_decay": (("warm-up, stable, decay to 0, then held", {}),),
}

# The first rows of a table for readers: what is often said wrong of them.
REMARKS = {
    "a_t = c / sqrt(t)": (
        "Often listed as satisfying both. It violates (ii): the squares c^2 / t are a harmonic "
        "series."
    ),
    "a_t = c / t": "Satisfies both.",
    "a_t = c, a constant": "Violates (ii).",
    "a_t = c gamma^t, gamma < 1": "Violates (i): it stops after a finite distance.",
    "cosine, then held at 0": (
        "A finite horizon decides nothing; the policy past its end does. Held at 0 violates (i)."
    ),
    "cosine, then held at min_lr > 0": "Held above 0 violates (ii).",
    "cosine that bounces past its horizon": "Bouncing violates (ii).",
}


def noted(rule: str) -> list[Verdict]:
    """The verdicts on a rule's noted forms."""
    module = SCHEDULES[rule]
    forms = NOTED.get(rule, ((f"{rule}, at its defaults", {}),))
    return [verdict(rule, module.Hyper(**fields), formula) for formula, fields in forms]


def table() -> list[tuple[Verdict, str]]:
    """Every noted form with its remark, those with one first, in the order of REMARKS."""
    found = {item.formula: item for rule in SCHEDULES for item in noted(rule)}
    ordered = [*REMARKS, *(formula for formula in found if formula not in REMARKS)]
    return [(found[formula], REMARKS.get(formula, "")) for formula in ordered]
