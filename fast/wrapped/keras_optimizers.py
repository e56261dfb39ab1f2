"""A keras.optimizers.Optimizer as a backend, by the variables that it makes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np

from truestep.fast.protocol import Array
from truestep.fast.wrapped import functions, search
from truestep.fast.wrapped.keras_classes import Make, keras, looked_at
from truestep.fast.wrapped.search import Found
from truestep.fast.wrapped.trials import Named

# What a variable of the state is called after.
_NAME = "p"
# The rate is a float32 variable, and functions of the counter are float32 tensors; some updates
# cast the other numbers too. XLA flushes subnormal numbers.
_ELEMENTS = ("tensor_lr_counter", "float32_hyper")
_SUMS = (*_ELEMENTS, "sequential_float32_hyper")
_XLA = ("xla_eager_float32", "xla_float32")


def _rounding(found: Found) -> tuple[str, ...]:
    if keras.backend.backend() == "jax":
        return _XLA
    return _SUMS if search.mixes(found) else _ELEMENTS


def _stepping(make: Make) -> functions.Step:
    """The step of an optimizer as a function of arrays and named variables."""

    def step(p: Array, g: Array, state: Named, **numbers: object) -> tuple[Array, Named]:
        with keras.device("cpu"), warnings.catch_warnings():
            # Keras's own conversion of a variable to NumPy.
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            optimizer = make(**numbers)
            param = keras.Variable(p, dtype=p.dtype.name, name=_NAME)
            optimizer.build([param])
            held = {
                variable.name.removeprefix(f"{_NAME}_"): variable
                for variable in optimizer.variables
                if variable.name != "learning_rate"
            }
            for name, x in state.items():
                held[name].assign(x)
            optimizer.apply([keras.ops.convert_to_tensor(g, dtype=p.dtype.name)])
            kept = {name: _array(variable) for name, variable in held.items()}
            return _array(param), kept

    return step


def _array(variable: keras.Variable) -> Array:
    return np.array(keras.ops.convert_to_numpy(variable.value))


def wrapped(
    make: Make,
    rule: str | None = None,
    arithmetic: str | None = None,
    options: Mapping[str, object] | None = None,
) -> functions.Backend:
    """A backend of what makes an optimizer of numbers: see truestep.wrap.keras."""
    looked_at(make)
    step = functions.signed(_stepping(make), make)
    name = getattr(make, "__qualname__", type(make).__name__)
    return functions.wrapped(step, rule, arithmetic, options, name=name, rounding=_rounding)
