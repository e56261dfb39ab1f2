"""optax: its optimizers (see optax_optimizers.py), and its schedules.

Schedules are called as a training step calls them: with an int32 count.

Arithmetic: their constructors compute in Python doubles; the schedule itself is float32, and so is
a count once it meets a float (jax without x64). XLA flushes subnormal numbers to zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from truestep.fast.peers.optax import averaging as optax_averaging
from truestep.fast.peers.optax import examples as optax_examples
from truestep.fast.peers.optax import lbfgs as optax_lbfgs
from truestep.fast.peers.optax import optimizers as optax_optimizers
from truestep.fast.peers.optax import training as optax_training
from truestep.fast.protocol import Array, BackendUnavailable, Capability, Group, Stepped

# A chain of restarts is built of one schedule per cycle: what may be built for one call.
REACH = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One of optax's schedules as an implementation of a reference rule.

    make(optax, hyper, last): the schedule, up to the step last at least.
    """

    rule: str
    make: Callable[[Any, Any, int], Any]
    variant: str = ""
    dialect: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    reach: int = 2**31 - 2


def _ratio(h: Any) -> float:
    if h.lr == 0:
        raise BackendUnavailable("optax takes the floor as a share of lr, and lr is 0")
    return float(h.min_lr / h.lr)


def _exponential(optax: Any, h: Any, last: int) -> Any:
    if h.gamma == 1 and h.min_lr > 0:
        raise BackendUnavailable("optax takes end_value as an upper bound where decay_rate is 1")
    return optax.exponential_decay(
        h.lr,
        transition_steps=h.step_size,
        decay_rate=h.gamma,
        staircase=h.steps == "staircase",
        end_value=h.min_lr or None,
    )


def _warmup_cosine(optax: Any, h: Any, last: int) -> Any:
    if h.warmup_steps == h.total_steps:
        raise BackendUnavailable("optax demands that the cosine takes at least one step")
    return optax.warmup_cosine_decay_schedule(
        0.0, h.lr, h.warmup_steps, h.total_steps, end_value=h.min_lr
    )


def _restarts(optax: Any, h: Any, last: int) -> Any:
    cycles, start, length, i = [], 0, h.cycle_steps, 0
    while start <= last:
        peak = max(h.lr * h.decay**i, h.min_lr)
        cycles.append(
            {
                "init_value": peak,
                "peak_value": peak,
                "warmup_steps": 0,
                "decay_steps": length,
                "end_value": h.min_lr,
            }
        )
        start, length, i = start + length, length * h.growth, i + 1
    return optax.sgdr_schedule(cycles)


def _milestones(optax: Any, h: Any, last: int) -> Any:
    repeats = Counter(h.milestones)
    return optax.piecewise_constant_schedule(h.lr, {t: h.gamma**n for t, n in repeats.items()})


ROWS: tuple[Row, ...] = (
    Row("constant", lambda optax, h, _: optax.constant_schedule(h.lr)),
    Row(
        "cosine",
        lambda optax, h, _: optax.cosine_decay_schedule(h.lr, h.total_steps, alpha=_ratio(h)),
    ),
    Row("exponential", _exponential),
    Row("exponential", _exponential, variant="staircase", dialect={"steps": "staircase"}),
    Row(
        "linear",
        lambda optax, h, _: optax.linear_schedule(
            h.lr * h.start_factor, h.lr * h.end_factor, h.total_steps
        ),
    ),
    Row("linear_warmup_cosine", _warmup_cosine),
    Row("multi_step", _milestones),
    Row(
        "polynomial",
        lambda optax, h, _: optax.polynomial_schedule(h.lr, h.min_lr, h.power, h.total_steps),
    ),
    Row("warm_restarts", _restarts, reach=REACH),
)


class Backend:
    """optax in float32."""

    name = "optax"

    def __init__(self) -> None:
        try:
            import jax
            import optax
        except ImportError as error:
            raise BackendUnavailable(f"{error.name or error} is not installed") from error
        self._jax, self._numpy, self._optax = jax, jax.numpy, optax
        self._optimizers = optax_optimizers.Optimizers(jax, optax)
        self._rows = {(row.rule, row.variant): row for row in ROWS}

    def capabilities(self) -> tuple[Capability, ...]:
        """Every optimizer and every schedule that has a rule in the reference."""
        schedules = tuple(
            Capability(
                "schedule",
                row.rule,
                format="float32",
                arithmetic="xla_float32",
                dialect=row.dialect,
                variant=row.variant,
                fixed=row.fixed,
                reach=row.reach,
            )
            for row in ROWS
        )
        return (
            *optax_optimizers.capabilities(),
            *optax_averaging.capabilities(),
            *optax_examples.capabilities(),
            *optax_lbfgs.capabilities(),
            *schedules,
            *optax_training.capabilities(),
        )

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One update, with a fresh transformation for every group."""
        if capability.rule == "polyak_ruppert":
            return optax_averaging.step(self._jax, self._optax, groups)
        if capability.rule in optax_examples.ROWS:
            return optax_examples.step(self._jax, self._optax, capability, groups)
        return self._optimizers.step(capability, groups)

    def training_piece(
        self, capability: Capability, hyper: Any, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """What a clipping transformation or MultiSteps makes of the inputs."""
        return optax_training.outputs(self._numpy, self._optax, capability, hyper, inputs)

    def minimizer_step(
        self,
        capability: Capability,
        hyper: Any,
        param: Array,
        state: Mapping[str, Any],
        function: Callable[[Array], tuple[Any, Array]],
    ) -> Stepped:
        """One update of L-BFGS."""
        jax, optax = self._jax, self._optax
        return optax_lbfgs.step(jax, optax, capability, hyper, param, state, function)

    def schedule_values(
        self, capability: Capability, hyper: Any, steps: Sequence[int]
    ) -> list[float]:
        """The schedule's value at one count after the other."""
        row = self._rows[capability.rule, capability.variant]
        schedule = row.make(self._optax, hyper, max(steps, default=0))
        return [float(schedule(self._numpy.asarray(t, self._numpy.int32))) for t in steps]
