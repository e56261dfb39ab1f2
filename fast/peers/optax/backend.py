"""optax in float32: optimizers, schedules, training-loop pieces and lives, in files beside."""

import atexit
import shutil
import tempfile
from collections.abc import Sequence

import jax

from truestep.fast.peers import training_row
from truestep.fast.peers.optax import lbfgs, lives, optimizers, schedules, training
from truestep.fast.protocol import (
    Array,
    Capability,
    Function,
    Group,
    Inputs,
    Observation,
    Outputs,
    Program,
    State,
    Stepped,
)
from truestep.reference.declared import Hyper


class Backend:
    """optax in float32."""

    name = "optax"

    def __init__(self) -> None:
        _keep_compiled()

    def capabilities(self) -> tuple[Capability, ...]:
        """Every optimizer, schedule and piece that has a rule in the reference, and lives."""
        return (
            *(row.capability(way) for row, way in optimizers.PLANS.values()),
            *lbfgs.CAPABILITIES,
            *schedules.CAPABILITIES,
            *training_row.capabilities(training.ROWS),
            *lives.CAPABILITIES,
        )

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One update, with a transformation for every group."""
        return optimizers.step(capability, groups)

    def lived(self, capability: Capability, programs: Sequence[Program]) -> list[list[Observation]]:
        """What is seen in lives of one transformation."""
        return lives.lived(capability, programs)

    def training_piece(self, capability: Capability, hyper: Hyper, inputs: Inputs) -> Outputs:
        """What a clipping transformation or MultiSteps makes of the inputs."""
        return training_row.outputs(training.ROWS, capability, hyper, inputs)

    def minimizer_step(
        self, capability: Capability, hyper: Hyper, param: Array, state: State, function: Function
    ) -> Stepped:
        """One update of L-BFGS."""
        return lbfgs.step(capability, hyper, param, state, function)

    def schedule_values(
        self, capability: Capability, hyper: Hyper, steps: Sequence[int]
    ) -> list[float]:
        """The schedule's value at one count after the other."""
        return schedules.values(capability, hyper, steps)


def _keep_compiled() -> None:
    """Let programs that are equal be compiled once in the life of this process.

    optax makes the body of a loop or a branch anew in every call, and JAX, which knows a body by
    its identity, compiles it anew: half a second for a step of Muon. In its cache on disk, equal
    programs are one.
    """
    if jax.config.jax_compilation_cache_dir is None:
        folder = tempfile.mkdtemp(prefix="truestep-jax-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.02)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
