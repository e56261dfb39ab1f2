"""Soundness for training-loop pieces: simulated kernels as backends, which no check may fail.

A simulated kernel is the reference's own lines in a narrow format, in a random but faithful order
(simulated.py). It passes through the same cases, bounds and comparator as a real backend, so that a
failure means that the error model lacks a rounding. What this does not show: soundness for orders
that the simulation never takes.
"""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from truestep.fast.protocol import TrainingCapability
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.arithmetic.lift import simulated
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.arithmetic.simulated import Simulated
from truestep.properties.arithmetic.whole import Whole
from truestep.properties.arithmetic.world import World
from truestep.properties.kinds.training.step import format_of, lifted
from truestep.properties.search.identification import departures
from truestep.reference.declared import Hyper
from truestep.reference.training import TRAINING
from truestep.reference.validation import Array


class SimulatedBackend:
    """Every training-loop piece, in every dialect one choice away from its own form."""

    name = "simulated"

    def __init__(self, profile: str, seed: int = 0) -> None:
        self.profile = profile
        self.seed = seed

    def capabilities(self) -> Sequence[TrainingCapability]:
        """All pieces in the arithmetic's compute format; a variant for each dialect."""
        format = arithmetic_of(self.profile).compute
        return [
            TrainingCapability(
                rule=rule,
                format=format,
                arithmetic=self.profile,
                dialect=dialect,
                variant="_".join(dialect.values()),
            )
            for rule, piece in TRAINING.items()
            for dialect in ({}, *departures(piece, {}, 1))
        ]

    def training_piece(
        self, capability: TrainingCapability, hyper: Hyper, inputs: Mapping[str, Array]
    ) -> Mapping[str, Array]:
        """The outputs of one faithful evaluation, another at every different call."""
        arithmetic = arithmetic_of(capability.arithmetic)
        # Equal calls give equal results, as of any deterministic kernel.
        told = zlib.crc32(repr((capability.rule, capability.variant, hyper, inputs)).encode())
        world = World(arithmetic, np.random.default_rng((self.seed, told)))

        def number(k: int) -> Simulated:
            where = format_named(arithmetic.counter)
            return Simulated(world, where, world.round(np.asarray(float(k)), where), host=True)

        given = {
            name: lifted(x, lambda a: Simulated.of(a, world), lambda n: Whole(n, number))
            for name, x in inputs.items()
        }
        with np.errstate(all="ignore"):
            out = TRAINING[capability.rule].run(simulated(world).hyper(hyper), **given)
        return {name: self._stored(capability, world, name, x) for name, x in out.items()}

    def _stored(self, capability: TrainingCapability, world: World, name: str, x: Array) -> Array:
        if isinstance(x, list):
            return [self._stored(capability, world, name, item) for item in x]
        if isinstance(x, (bool, int)):
            return x
        x = x if isinstance(x, Simulated) else np.asarray(x, dtype=np.float64)
        value = x.value if isinstance(x, Simulated) else x
        format = format_of(capability, name)
        rounded = world.round(np.asarray(value), format)
        return np.asarray(np.broadcast_to(rounded, x.shape)).astype(format.dtype)


# What `make deep` searches for faithful evaluations outside their contract.
FLOAT32 = SimulatedBackend("ieee_float32")
