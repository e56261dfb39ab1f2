"""What a constructor's signature says of an optimizer: its numbers, and values that are wrong."""

import inspect
from collections.abc import Callable, Mapping, Sequence

from torch.optim import Optimizer

from truestep.fast.peers.torch_lives import Life

# Numbers that optimizers take: a value that is no default, and one that no definition allows.
_KNOWN: Mapping[str, tuple[float, float | None]] = {
    "alpha": (0.9, None),
    "eps": (1e-6, -1.0),
    "lr": (0.03, -1.0),
    "lr_decay": (0.01, -1.0),
    "momentum": (0.8, -0.5),
    "rho": (0.85, -0.5),
    # Of no parameter in eighths so much that it cancels a gradient in eighths: what rounding leaves
    # of nothing is normalized to a step.
    "weight_decay": (0.07, -1.0),
}
_BETAS = ((0.8, 1.5), (0.95, -0.5), (0.98, 1.5))


def numbers(constructor: Callable[..., object]) -> tuple[dict[str, float], dict[str, float]]:
    """Of the arguments that are known: values to be given, and wrong ones."""
    given: dict[str, float] = {}
    wrong: dict[str, float] = {}
    for name, parameter in inspect.signature(constructor).parameters.items():
        default = parameter.default
        if name in _KNOWN and (name == "lr" or isinstance(default, float | int)):
            given[name], bad = _KNOWN[name]
            wrong |= {} if bad is None else {name: bad}
        elif name == "betas" and isinstance(default, tuple):
            for place, (value, outside) in enumerate(_BETAS[: len(default)]):
                given[f"betas.{place}"], wrong[f"betas.{place}"] = value, outside
    return given, wrong


def life(
    variant: str,
    make: Callable[..., Optimizer],
    *,
    signature: Callable[..., Optimizer] | None = None,
    besides: Sequence[str] = (),
    **more: object,
) -> Life:
    """A class as an object with a life: its numbers, and those that are wrong, by its signature.

    signature: what has the signature, where make does not. besides: numbers that its groups do not
    keep. more: other fields of Life, of which the offers are those of torch_lives.ALL.
    """
    given, wrong = numbers(signature or make)
    kept = {name: x for name, x in given.items() if name not in besides}
    return Life(variant, make, numbers=kept, wrong=wrong, **more)  # type: ignore[arg-type]
