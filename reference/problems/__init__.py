"""Problems with known optimum and constants.

Every module holds Problem, value, gradient and constants.
"""

from types import ModuleType

from truestep.reference.problems import (
    absolute_value,
    hinge,
    huber,
    least_squares,
    logistic,
    polyak_lojasiewicz,
    quadratic,
    rosenbrock,
    streaming_least_squares,
)

PROBLEMS: dict[str, ModuleType] = {
    "absolute_value": absolute_value,
    "hinge": hinge,
    "huber": huber,
    "least_squares": least_squares,
    "logistic": logistic,
    "polyak_lojasiewicz": polyak_lojasiewicz,
    "quadratic": quadratic,
    "rosenbrock": rosenbrock,
    "streaming_least_squares": streaming_least_squares,
}
