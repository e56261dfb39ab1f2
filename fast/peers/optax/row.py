"""What a row of the tables of optax's optimizers says, and the ways in which rows are run.

Ways to the same numbers:

eager: the constructor is given Python numbers, and update runs operation by operation.
scheduled: the learning rate is a schedule, here a constant one, evaluated at every step.
injected: optax.inject_hyperparams; every number is a float32 array that lives in the state.
jit: as eager, but update and apply_updates are one function compiled by jax.jit.
"": as eager, of a rule that is run in no other way.

Arithmetic: 1 - decay and other sums of hyperparameters are Python doubles, unless injected; powers
of the step count are float32 with a float32 base; XLA flushes subnormal numbers on the CPU too, and
computes 1 / sqrt within two ulps where optax calls rsqrt.

optax has no maximize and, for most rules, no decay of its own: scale(-1.0) goes ahead of everything
where the objective is to grow, and add_decayed_weights ahead of a constructor that takes no decay.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import optax

from truestep.fast.protocol import FARTHEST, Array, Fixed, Level, OptimizerCapability, Shapes, Slot
from truestep.reference.declared import Hyper

# Each way, and the least thorough level at which it is run.
WAYS: Mapping[str, Level] = {
    "": "smoke",
    "eager": "smoke",
    "injected": "standard",
    "jit": "deep",
    "scheduled": "standard",
}
EVERY_WAY = ("eager", "injected", "scheduled", "jit")
LEVELS: tuple[Level, ...] = ("smoke", "standard", "deep")
ARITHMETIC = {
    "eager": "xla_eager_float32",
    "injected": "xla_float32",
    "jit": "xla_eager_float32",
    "scheduled": "xla_eager_float32",
}
RSQRT = dict.fromkeys(WAYS, "xla_rsqrt_float32")

# The last step that optax's int32 counter takes: from there on it stands still, as documented.
REACH = FARTHEST - 1


@dataclass(frozen=True, slots=True)
class Row:
    """One of optax's constructors as an implementation of a reference rule.

    constructor: its name in optax or optax.contrib, where that is not the rule's. state: the
    reference's fields and optax's names, the last of which is preceded by "-" where optax keeps the
    negative and by "^" where it keeps the transpose. numbers: optax's arguments, besides
    the rate's, and the fields of Hyper that they are given, or a tuple of them. rate: the argument
    that is given lr, "" where none is. handed: the inputs that update() takes by name. optional:
    arguments that are None where the number is 0. options: arguments that do not vary. made: makes
    the arguments that take more, of (hyper, slots). gradient: makes the gradient of (param, slot),
    where the slot's is an example. drawn: the input that jax.random.normal gives in a judged step,
    where it is handed over; else optax draws from its own key, split as often as steps were made.
    beside: state that the user keeps by other functions of optax,
    of (hyper, slot, new param). paired: the field that is the slow one of a pair of points, which
    stand in the parameter's place; the decay is the wrapped rule's. since: names of counters that
    begin anew, and the field of Hyper at which they do. started: names of counters, with what they
    hold before the first step. begun: name of a flag that is true before it. apart: one call for
    each tensor, as where state is shared by all tensors. ways: those of WAYS it is run in. prefix:
    of the variants' names, where a rule has several rows. level: the least at which the row is run;
    the rules that most users are on join first. arithmetic: by way.
    dialect, fixed, reach, single, shapes: as in OptimizerCapability.
    """

    rule: str
    state: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    constructor: str = ""
    rate: str = "learning_rate"
    handed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    made: Callable[[Hyper, Sequence[Slot]], Mapping[str, object]] | None = None
    dialect: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Fixed] = field(default_factory=dict)
    gradient: Callable[[Array, Slot], Array] | None = None
    drawn: str = ""
    beside: Callable[[Hyper, Slot, Array], Mapping[str, Array]] | None = None
    paired: str = ""
    since: Mapping[str, str] = field(default_factory=dict)
    started: Mapping[str, int] = field(default_factory=lambda: {"count": 0})
    begun: str = ""
    apart: bool = False
    single: bool = False
    shapes: Shapes = "any"
    reach: int = REACH
    ways: tuple[str, ...] = ("eager", "jit")
    prefix: str = ""
    level: Level = "standard"
    arithmetic: Mapping[str, str] = field(default_factory=lambda: ARITHMETIC)

    @property
    def make(self) -> Callable[..., optax.GradientTransformation]:
        """The constructor itself; what moved to contrib is deprecated where it was."""
        name = self.constructor or self.rule
        found: Callable[..., optax.GradientTransformation]
        found = getattr(optax.contrib if hasattr(optax.contrib, name) else optax, name)
        return found

    @property
    def coupled(self) -> bool:
        """Whether add_decayed_weights comes first, as nothing else takes the decay."""
        within = {*self.numbers.values(), *self.fixed}
        return "weight_decay" not in within and not self.paired

    def capability(self, way: str) -> OptimizerCapability:
        """What the row declares of one of its ways."""
        return OptimizerCapability(
            rule=self.rule,
            arithmetic=self.arithmetic[way],
            dialect=self.dialect,
            variant=self.prefix + way,
            fixed=self.fixed,
            level=max(self.level, WAYS[way], key=LEVELS.index),
            shapes=self.shapes,
            reach=self.reach,
            single=self.single,
        )


MOMENTS = {"m": "mu", "v": "nu"}
BETAS = {"b1": "beta1", "b2": "beta2"}
ADAM = {**BETAS, "eps": "eps"}
DECAY = {"weight_decay": "weight_decay"}
