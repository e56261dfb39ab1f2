"""The tensors of an optimizer, sorted into lists that one call of the kernels steps in place.

Addresses are read anew at every step: gradients are often reallocated, and a parameter or a state
may be moved. What is fixed between steps is which tensors belong together.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, compress
from operator import attrgetter, is_

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from truestep.fast.ours.cpu_plans import GRADS, PARAMS, Plan
from truestep.fast.ours.rule_kernels import RuleKernel
from truestep.reference.declared import Hyper
from truestep.torch.stored import Form, Held

# Each look at a thousand tensors takes 0.05 ms in C, and many times that in a loop of Python.
_DTYPE, _IS_CPU = attrgetter("dtype"), attrgetter("is_cpu")
_PLAIN = {torch.Tensor, torch.nn.Parameter}
# torch counts in float32, which stays at 2**24, and takes either.
COUNTER = torch.float64
FORMATS = {torch.bfloat16: "bfloat16", torch.float32: "float32"}


def require_dense(optimizer: str, what: str, x: torch.Tensor) -> None:
    """Raise for a tensor that does not lie in this process's memory, in a format of the kernels."""
    if x.layout is not torch.strided:
        raise RuntimeError(
            f"{optimizer} does not take sparse gradients, got a {what} in {x.layout}"
        )
    if not x.is_cpu:
        raise RuntimeError(f"{optimizer} steps tensors on the CPU, got a {what} on {x.device}")
    if is_traceable_wrapper_subclass(x):
        raise TypeError(f"{optimizer} steps plain tensors, got a {what} of {type(x).__name__}")
    if x.dtype not in FORMATS:
        raise TypeError(f"{optimizer} steps float32 and bfloat16, got a {what} of {x.dtype}")


class Bucket:
    """Parameters of one format that one kernel steps, with states in the same forms."""

    __slots__ = (
        "counts", "dtype", "forms", "groups", "held", "kernel", "keys", "params", "sizes",
        "states", "steps", "tensors",
    )  # fmt: skip

    def __init__(self, kernel: RuleKernel, dtype: torch.dtype, forms: tuple[Form, ...]) -> None:
        self.kernel, self.dtype, self.forms = kernel, dtype, forms
        self.keys = {name: key for form in forms for name, key in form.keys.items()}
        self.params: list[torch.Tensor] = []
        self.states: list[Held] = []
        self.groups: list[int] = []

    def add(self, param: torch.Tensor, state: Held, group: int) -> None:
        """One more parameter."""
        self.params.append(param)
        self.states.append(state)
        self.groups.append(group)

    def close(self) -> None:
        """Once all are there: note what a step looks up; the counters move into one vector."""
        self.counts = [p.numel() for p in self.params]
        self.sizes = np.array(self.counts, dtype=np.int64)
        vector = torch.tensor([float(state["step"]) for state in self.states], dtype=COUNTER)
        self.steps = vector.numpy()
        for state, step in zip(self.states, vector.unbind(), strict=True):
            state["step"] = step
        self.tensors = {key: [state[key] for state in self.states] for key in self.keys.values()}
        self.held = list(self._holding())

    def _holding(self) -> Iterator[object]:
        return chain.from_iterable(map(dict.values, self.states))

    def intact(self) -> bool:
        """Whether parameters and states are the tensors that they were."""
        return (
            sum(map(len, self.states)) == len(self.held)
            and all(map(is_, self._holding(), self.held))
            and set(map(_DTYPE, self.params)) == {self.dtype}
            and list(map(torch.Tensor.numel, self.params)) == self.counts
        )

    def prepared(self, optimizer: str, hypers: Sequence[Hyper]) -> Callable[[], None] | None:
        """The step of those that have a gradient, once all is found to be in order."""
        grads = [p.grad for p in self.params]
        present = [g is not None for g in grads]
        whole = all(present)
        if not (whole or any(present)):
            return None
        params, counts, given = self.params, self.counts, grads
        if not whole:
            params, counts, given = (list(compress(x, present)) for x in (params, counts, grads))
        stepped = (
            params if _in_order(params) else [usable(optimizer, "parameter", p) for p in params]
        )
        if not self._as_usual(given, counts):
            given = self._gradients(optimizer, given, counts)
        addresses = {name: _addresses(self.tensors[key]) for name, key in self.keys.items()}
        for name, tensors in (PARAMS, stepped), (GRADS, given):
            addresses[name] = np.zeros(len(present), np.int64)
            addresses[name][slice(None) if whole else present] = _addresses(tensors)
        plan = Plan.of_addresses(
            self.kernel.rule,
            FORMATS[self.dtype],
            # Without elements, what has no gradient is left as it is.
            np.where(present, self.sizes, 0),
            addresses,
            kept={form.name: form.kept for form in self.forms if form.kept is not None},
        )
        counters = (self.steps + 1).astype(np.int64).tolist()
        each = [hypers[group] for group in self.groups]

        def run() -> None:
            plan.step(each, counters, torch.get_num_threads())
            # Until here the copies had to live.
            del given[:]
            if stepped is not params:
                for p, copy in zip(params, stepped, strict=True):
                    if copy is not p:
                        p.copy_(copy)
            self.steps += present
            # As operations of torch do: a graph that has kept the old values then raises.
            torch.autograd.graph.increment_version(params)

        return run

    def _as_usual(self, gradients: list[torch.Tensor], counts: list[int]) -> bool:
        """Whether the kernels can read all of them as they are."""
        return (
            set(map(type, gradients)) <= _PLAIN
            and set(map(_DTYPE, gradients)) == {self.dtype}
            and _in_order(gradients)
            and not any(map(torch.Tensor.is_neg, gradients))
            and list(map(torch.Tensor.numel, gradients)) == counts
        )

    def _gradients(
        self, optimizer: str, gradients: list[torch.Tensor], counts: list[int]
    ) -> list[torch.Tensor]:
        """The gradients, in copies where they have to be. Raises where one cannot be taken."""
        return [
            gradient_like(optimizer, g, self.dtype, count)
            for g, count in zip(gradients, counts, strict=True)
        ]


def _in_order(tensors: list[torch.Tensor]) -> bool:
    return all(map(_IS_CPU, tensors)) and all(map(torch.Tensor.is_contiguous, tensors))


def gradient_like(
    optimizer: str, gradient: torch.Tensor, dtype: torch.dtype, count: int
) -> torch.Tensor:
    """It as a kernel takes it beside a parameter of that format and size, or a copy of it."""
    g = usable(optimizer, "gradient", gradient)
    if g.dtype is not dtype or g.numel() != count:
        raise TypeError(
            f"{optimizer} takes gradients like the parameter, of {count} elements in {dtype}; "
            f"got {g.numel()} in {g.dtype}"
        )
    return g


def usable(optimizer: str, what: str, x: torch.Tensor) -> torch.Tensor:
    """It, or a copy of it, as a kernel takes it. Raises where it cannot be taken."""
    require_dense(optimizer, what, x)
    return x if x.is_contiguous() and not x.is_neg() else x.detach().resolve_neg().contiguous()


def _addresses(tensors: list[torch.Tensor]) -> NDArray[np.int64]:
    return np.fromiter(map(torch.Tensor.data_ptr, tensors), np.int64, len(tensors))


class Layout:
    """The buckets of all parameters that have a state, and those that wait for their first step.

    key: of what the buckets depend on.
    """

    __slots__ = ("buckets", "key", "states", "waiting")

    def __init__(self, key: object) -> None:
        self.key = key
        self.waiting: list[torch.Tensor] = []
        self.buckets: dict[tuple[int, torch.dtype, tuple[Form, ...]], Bucket] = {}

    def bucket(self, kernel: RuleKernel, dtype: torch.dtype, forms: tuple[Form, ...]) -> Bucket:
        """The one for these."""
        key = kernel.place, dtype, forms
        if key not in self.buckets:
            self.buckets[key] = Bucket(kernel, dtype, forms)
        return self.buckets[key]

    def close(self, state: Mapping[torch.Tensor, Held]) -> None:
        """Once all parameters are there."""
        for bucket in self.buckets.values():
            bucket.close()
        self.states = list(state.values())

    def holds(self, key: object, state: Mapping[torch.Tensor, Held]) -> bool:
        """Whether it is still what it was made of."""
        return (
            self.key == key
            and not any(p.grad is not None for p in self.waiting)
            and len(self.states) == len(state)
            and all(map(is_, state.values(), self.states))
            and all(bucket.intact() for bucket in self.buckets.values())
        )

    def prepared(self, optimizer: str, hypers: Sequence[Hyper]) -> Iterator[Callable[[], None]]:
        """Of every bucket the step."""
        for bucket in self.buckets.values():
            if (run := bucket.prepared(optimizer, hypers)) is not None:
                yield run
