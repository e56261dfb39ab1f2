"""Faults in SOAP: bases, what is turned by them, and when they are refreshed."""

from __future__ import annotations

from typing import Any

from truestep.properties.museum.fault import Fault
from truestep.properties.museum.matrix_kernels import left, orthogonal, soap_basis


def _refreshed_before(x: Any, side: Any, gram: Any) -> Any:
    """The basis with which this step should end."""
    a = x.h.shampoo_beta * side(x.s.factors, x.g) + (1 - x.h.shampoo_beta) * gram
    return side(x.s.bases, x.g) if x.first else soap_basis(x, a, side(x.s.bases, x.g))


def _left_in_old_coordinates(x: Any) -> Any:
    """m as it becomes when its coordinates are kept while the basis of its rows changes."""
    new = soap_basis(x, x.left, x.left_basis) if x.due else x.left_basis
    return new @ (x.left_basis.T @ x.m)


SOAP = {
    "soap_basis_refreshed_before_the_step": Fault(
        "soap",
        "matrix",
        "the step is made in the bases with which it should end",
        "lines in another order",
        lines={
            "left_basis": lambda x: _refreshed_before(x, left, x.g @ x.g.T),
        },
    ),
    "soap_bases_refreshed_in_every_step": Fault(
        "soap",
        "matrix",
        "bases are refreshed in every step, not every so many",
        "an argument dropped on the way",
        lines={"due": lambda x: x.s.t > 0},
    ),
    "soap_basis_without_iteration": Fault(
        "soap",
        "matrix",
        "a basis is made orthogonal again, but not multiplied by its factor",
        "QR of the wrong matrix",
        lines={
            "left_basis": lambda x: (
                orthogonal(left(x.s.bases, x.g)[:, ::-1]) if x.due else left(x.s.bases, x.g)
            )
        },
    ),
    "soap_count_includes_the_first": Fault(
        "soap",
        "matrix",
        "corrections count the first step, which averages nothing",
        "counters from 0",
        check="update_alone",
        lines={"k": lambda x: x.s.t + 1},
    ),
    "soap_first_step_is_made": Fault(
        "soap",
        "matrix",
        "the gradient that makes the bases is averaged too",
        "a return forgotten",
        lines={"m": lambda x: x.h.beta1 * x.s.m + (1 - x.h.beta1) * x.g},
    ),
    "soap_momentum_in_old_coordinates": Fault(
        "soap",
        "matrix",
        "the average keeps its coordinates when a basis changes",
        "a momentum that is not projected again",
        lines={"new_m": _left_in_old_coordinates},
    ),
    "soap_projected_by_the_transpose": Fault(
        "soap",
        "matrix",
        "the columns' basis is transposed on the way in",
        "Q for Q^T",
        lines={"turned": lambda x: x.left_basis.T @ x.g @ x.right_basis.T},
    ),
    "soap_second_moment_not_permuted": Fault(
        "soap",
        "matrix",
        "columns of the bases are sorted, the second moment stays as it is",
        "NVIDIA-NeMo/Emerging-Optimizers#266",
        lines={"new_v": lambda x: x.v},
    ),
    "soap_turned_back_by_the_transpose": Fault(
        "soap",
        "matrix",
        "the step is turned back with the bases' transposes",
        "Q^T for Q",
        lines={"d": lambda x: x.left_basis.T @ x.inner @ x.right_basis},
    ),
}
