"""The families of a minimizer's cases: what each varies, and how many examples it tries."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from truestep.fast.protocol import MinimizerCapability
from truestep.properties.kinds.kind import Family, examples
from truestep.properties.kinds.minimizer.cases import MinimizerCase, cases
from truestep.reference.optimizers import FROM_FUNCTION

Cases = st.SearchStrategy[MinimizerCase]


def _family(**varied: Any) -> Callable[[MinimizerCapability], Cases]:
    def strategy(capability: MinimizerCapability) -> Cases:
        rule = FROM_FUNCTION[capability.rule]
        return cases(rule, capability.dialect, capability.fixed, **varied)

    return strategy


_BADLY_SCALED = {"exponents": (-6, 6), "conditions": (3, 6), "scales": (-4, 3)}

FAMILIES: dict[str, Family[MinimizerCapability, MinimizerCase]] = {
    "badly_scaled": Family(
        "functions, starts and curvatures of far apart sizes",
        _family(**_BADLY_SCALED, histories=(0, 3)),
        examples(4, 12, 500),
    ),
    "curvature_skip": Family(
        "falling directions, where a pair may have no positive curvature",
        _family(kinds=("saddle", "rosenbrock"), histories=(1, 3), scales=(0, 1)),
        examples(10, 60, 500),
    ),
    "early_steps": Family("the first steps from a fresh state", _family(), examples(6, 24, 1000)),
    "filled_memory": Family(
        "one to three pairs kept, after more steps than that",
        _family(memories=(1, 2, 3), histories=(4, 6), kinds=("rosenbrock", "logistic")),
        examples(4, 12, 500),
    ),
    "start_at_optimum": Family(
        "starts where the gradient is zero, or nearly so",
        _family(kinds=("quadratic",), starts=("zeros", "normal"), scales=(-6, -3)),
        examples(3, 10, 200),
    ),
    "zero_gradient": Family("a constant function", _family(kinds=("flat",)), examples(2, 4, 50)),
}
