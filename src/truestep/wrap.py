"""Backends of what has no adapter: which rule it computes, in which form, is found by running it.

    import truestep
    from my_package import MyLion

    backend = truestep.wrap.torch(MyLion)
    print(backend.declaration)  # judged as lion, nan_sign zero; m is exp_avg; ...
    truestep.certify(backend)

Numbers are paired by their names and state by its values, on a few random tensors; of the rule's
forms the one is declared that agrees, and of the arithmetics the strictest under which fixed cases
pass. Everything raises BrokenBackend of truestep.fast.discovery where nothing agrees, with the
nearest forms and how far they are off. On the command line: truestep certify
torch:my_package.my_module:MyLion --as lion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from truestep.fast.wrapped import functions
    from truestep.fast.wrapped.torch_backend import Backend

Wrapped = TypeVar("Wrapped", "functions.Backend", "Backend")

__all__ = ["callable", "ctypes", "keras", "optax", "torch"]


def callable(
    step: Callable[..., Any],
    rule: str | None = None,
    *,
    arithmetic: str | None = None,
    **options: object,
) -> functions.Backend:
    """A backend of a function: step(p, g, state, lr=..., ...) -> (p, state), of NumPy's arrays.

    state: a dictionary of arrays and numbers by name, empty before the first step; the count of
    steps, where the rule needs it, is one of them. rule, arithmetic, options: as of torch.
    """
    from truestep.fast.wrapped.functions import wrapped

    return _settled(wrapped(step, rule, arithmetic, options))


def ctypes(
    library: str,
    declaration: str,
    rule: str | None = None,
    *,
    arithmetic: str | None = None,
    **options: object,
) -> functions.Backend:
    """A backend of a function of a C library, given as in its header.

        wrap.ctypes("lib.so", "void adamw_step(float *p, const float *g, float *m, float *v, "
                    "int64_t n, int t, float lr, float beta1, float beta2, float eps)")

    Pointers are to float or double, of tensors that lie in one piece. What can be written besides
    the parameter is state; n is the number of elements, t the number of the step. rule, arithmetic,
    options: as of torch.
    """
    from truestep.fast.wrapped.c_functions import wrapped

    return _settled(wrapped(f"{library}:{declaration}", rule, arithmetic, options))


def keras(
    make: Callable[..., Any],
    rule: str | None = None,
    *,
    arithmetic: str | None = None,
    **options: object,
) -> functions.Backend:
    """A backend of a keras.optimizers.Optimizer class, or of a function of numbers that makes one.

    It runs on the backend that Keras is configured for. rule, arithmetic, options: as of torch.
    """
    from truestep.fast.wrapped.keras_optimizers import wrapped

    return _settled(wrapped(make, rule, arithmetic, options))


def optax(
    make: Callable[..., Any],
    rule: str | None = None,
    *,
    arithmetic: str | None = None,
    **options: object,
) -> functions.Backend:
    """A backend of a function that makes a GradientTransformation of numbers, as optax.lion.

    rule, arithmetic, options: as of torch.
    """
    from truestep.fast.wrapped.transformations import wrapped

    return _settled(wrapped(make, rule, arithmetic, options))


def torch(
    make: Callable[..., Any],
    rule: str | None = None,
    *,
    arithmetic: str | None = None,
    **options: object,
) -> Backend:
    """A backend of a torch.optim.Optimizer class, or of a function that makes one of parameters.

    rule: the reference's name; found where it is not given. arithmetic: how it rounds (`truestep
    list arithmetics`); found where none is named, the strictest that fixed cases pass. options:
    arguments of the constructor, or of parameter groups, that are not numbers of the rule.
    """
    from truestep.fast.wrapped.torch_backend import wrapped

    return _settled(wrapped(make, rule, arithmetic, options))


def _settled(backend: Wrapped) -> Wrapped:
    """The backend in the arithmetic that is found."""
    from truestep.fast.discovery import check
    from truestep.properties.run.rounding import settled

    [capability] = settled(check(backend, backend.name))
    return backend.rounding(str(capability.arithmetic))
