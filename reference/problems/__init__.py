"""Convex problems with known optimum and constants.

Every module holds Problem, value, gradient and constants.
"""

from types import ModuleType

from truestep.reference.problems import absolute_value, huber, least_squares, logistic, quadratic

PROBLEMS: dict[str, ModuleType] = {
    "absolute_value": absolute_value,
    "huber": huber,
    "least_squares": least_squares,
    "logistic": logistic,
    "quadratic": quadratic,
}
