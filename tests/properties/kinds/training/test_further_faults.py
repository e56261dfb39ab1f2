"""Further faults in pieces of the training loop, and correct pieces that are written otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pytest

from truestep.fast.protocol import Inputs, Outputs, TrainingBackend, TrainingCapability
from truestep.properties.museum.plant import Edit, Kernel
from truestep.properties.museum.power import first_failure
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.declared import Hyper

pytestmark = pytest.mark.power

BACKED_OFF = "scale=scale, good=0"
COUNTED = "    t = s.t + 1\n"
CLIPPED = '"clipped": apply(h, gradients)'
FACTOR = "np.minimum(1 / safe, 1 / h.max_norm)"
LARGEST = "np.max(np.abs(g))"
NORM = "np.sum(g * g) for g in parts"
SHRUNK = "np.minimum(h.max_norm / (n + h.eps), 1.0)"
UNITS = '{"columns_and_heads": (0,), "rows_and_taps": (1,)}'
WEIGHT = "weight = s.weight + n"


def of(rule: str, *edits: Edit, **declared: object) -> Callable[[], Kernel]:
    """A kernel of the piece's lines with these changes."""
    return partial(Kernel, rule, edits, **declared)


accumulation = partial(of, "gradient_accumulation")
clipping = partial(of, "clip_by_global_norm")
scaling = partial(of, "dynamic_loss_scaling")
by_units = partial(of, "adaptive_gradient_clipping")
by_examples = partial(of, "data_parallel", dialect={"weights": "examples"})

FAULTS: dict[str, Callable[[], TrainingBackend]] = {
    # What is not looked at, or not reached.
    "large: elements from 2^16 on are not clipped": clipping(
        (
            CLIPPED,
            '"clipped": [np.append(c.reshape(-1)[:2**16], g.reshape(-1)[2**16:])'
            ".reshape(g.shape) for c, g in zip(apply(h, gradients), gradients)]",
        )
    ),
    "large: the norm is that of the first 2^16 elements": clipping(
        (NORM, NORM.replace("g * g", "np.square(g.reshape(-1)[:2**16])"))
    ),
    "large: infinities from 2^16 on are overlooked": scaling(
        (LARGEST, LARGEST.replace("(g)", "(g.reshape(-1)[:2**16])"))
    ),
    "many: infinities are looked for in four tensors": scaling(
        ("for g in gradients if g.size)", "for g in gradients[:4] if g.size)")
    ),
    "many: the gradients of four workers are averaged": of(
        "data_parallel",
        ("numbers = [1]", "gradients, sizes = gradients[:4], sizes[:4]\n    numbers = [1]"),
    ),
    # Windows, counters and numbers.
    "count: after an overflow the window is one step longer": scaling(
        (BACKED_OFF, "scale=scale, good=-1")
    ),
    "count: finite steps are counted in 8 bits": scaling(
        ("s.good + 1 < h.window", "(s.good + 1) % 256 < h.window")
    ),
    "count: calls are counted in 16 bits": scaling((COUNTED, "    t = (s.t + 1) % 2**15\n")),
    "count: a tolerated overflow does not begin the window anew": scaling(
        (
            "scale=s.scale, good=0, patience=s.patience - 1",
            "scale=s.scale, good=s.good, patience=s.patience - 1",
        )
    ),
    "number: examples of a worker are counted in 8 bits": by_examples(
        ("else sizes", "else [n % 256 for n in sizes]")
    ),
    "number: the staleness ends at 128": of(
        "stale_gradients", ("max(1, tau)", "max(1, min(tau, 128))")
    ),
    "number: the weights of micro-batches are added in bfloat16": accumulation(
        (WEIGHT, "weight = bfloat16(s.weight + n)")
    ),
    # What an infinity or a nan makes of a clip.
    "infinite: a norm of nan makes everything zero": clipping(
        (
            "    within = n < h.max_norm\n",
            "    if np.isnan(n):\n        return [np.zeros_like(g) for g in gradients]\n"
            "    within = n < h.max_norm\n",
        )
    ),
    "infinite: nothing is clipped, by reciprocals": clipping(
        (f"{FACTOR} + (n - n)", f"{FACTOR} if np.isfinite(n) else 1.0"),
        dialect={"form": "reciprocal"},
    ),
    "infinite: nothing is clipped, with eps": clipping(
        (SHRUNK, f"({SHRUNK} if np.isfinite(n) else 1.0)"), dialect={"form": "shrunk"}
    ),
    "infinite: sizes are infinite that the least limit holds": of(
        "clip_by_value",
        ("return np.minimum(", "return np.where(np.isinf(g), g, 0.0) + np.minimum("),
    ),
    # Units of tensors of three axes and more.
    "units: heads are one unit": by_units(
        (UNITS, UNITS.replace("(0,)", "(0, 1)")), dialect={"units": "columns_and_heads"}
    ),
    "units: taps are one unit": by_units(
        (UNITS, UNITS.replace("(1,)", "(1, 2)")), dialect={"units": "rows_and_taps"}
    ),
    "units: of four axes three make a row": by_units(
        ("range(1, x.ndim)) if rows", "range(1, min(x.ndim, 3))) if rows")
    ),
    # Definitions, misread.
    "definition: the noise scale has no sign": of(
        "gradient_noise_scale", ("return state.s / state.g2", "return np.abs(state.s / state.g2)")
    ),
}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", FAULTS)
def test_it_is_found(name: str, seed: int) -> None:
    """By the strata."""
    found = first_failure(FAULTS[name](), seed=seed, told=False)
    assert found is not None
    assert found.verdict == "fail", found.message


class Given(Kernel):
    """A piece's lines, whose inputs or outputs pass through something."""

    def __init__(
        self, rule: str, passed: Callable[[Outputs, Inputs], Mapping[str, object]]
    ) -> None:
        super().__init__(rule)
        self.passed = passed

    def training_piece(
        self, capability: TrainingCapability, hyper: Hyper, inputs: Inputs
    ) -> Outputs:
        """The lines' outputs, passed through."""
        return self.passed(super().training_piece(capability, hyper, dict(inputs)), inputs)


def _taken_apart(outputs: Outputs, inputs: Inputs) -> Outputs:
    for name in list(inputs):
        inputs.pop(name)  # type: ignore[attr-defined]
    return outputs


def _tuples_and_scalars(outputs: Outputs, _: Inputs) -> Outputs:
    return {
        k: tuple(x) if isinstance(x, list) else x[()] if isinstance(x, np.ndarray) else x
        for k, x in outputs.items()
    }


ADDED = "reduce(lambda a, b: a + b, [np.sum(g * g) for g in parts])"
CORRECT: dict[str, Callable[[], TrainingBackend]] = {
    "norms of norms in float64": clipping(
        (ADDED, "sum(np.sqrt(np.sum(g.astype(float) ** 2)) ** 2 for g in parts)")
    ),
    "products with the scale's reciprocal": scaling(
        ("g / s.scale", "g * (np.float32(1) / np.float32(s.scale))")
    ),
    "inputs that are taken out of their mapping": partial(
        Given, "dynamic_loss_scaling", _taken_apart
    ),
    "outputs as tuples and NumPy's scalars": partial(
        Given, "clip_by_global_norm", _tuples_and_scalars
    ),
}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", CORRECT)
def test_it_passes(name: str, seed: int) -> None:
    """The strata, and special values."""
    backend = CORRECT[name]()
    for check in checks_of(backend):
        if check.name in ("special_values", "strata"):
            result = run_check(backend, check, level="standard", seed=seed, told=False)
            assert result.verdict == "pass", result.message
