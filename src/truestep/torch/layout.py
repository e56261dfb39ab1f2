"""The tensors of an optimizer, sorted into lists that one call of the kernels steps in place.

Addresses are read anew at every step: gradients are often reallocated, and a parameter or a state
may be moved. What is fixed between steps is which tensors belong together.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import is_
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from truestep.fast.ours.cpu_plans import GRADS, PARAMS, Plan
from truestep.fast.ours.rule_kernels import RuleKernel
from truestep.reference.declared import Hyper
from truestep.torch.stored import Form

FORMATS = {torch.bfloat16: "bfloat16", torch.float32: "float32"}


def require_dense(optimizer: str, what: str, x: torch.Tensor) -> None:
    """Raise for a tensor that does not lie in this process's memory, in a format of the kernels."""
    if x.layout is not torch.strided:
        raise RuntimeError(f"{optimizer} does not take sparse gradients, got a {what} in {x.layout}")
    if not x.is_cpu:
        raise RuntimeError(f"{optimizer} steps tensors on the CPU, got a {what} on {x.device}")
    if is_traceable_wrapper_subclass(x):
        raise TypeError(f"{optimizer} steps plain tensors, got a {what} of {type(x).__name__}")
    if x.dtype not in FORMATS:
        raise TypeError(f"{optimizer} steps float32 and bfloat16, got a {what} of {x.dtype}")


class Bucket:
    """Parameters of one format that one kernel steps, with states in the same forms."""

    __slots__ = (
        "counts", "dtype", "forms", "groups", "kernel", "keys", "params", "sizes", "states",
        "steps", "tensors",
    )  # fmt: skip

    def __init__(self, kernel: RuleKernel, dtype: torch.dtype, forms: tuple[Form, ...]) -> None:
        self.kernel, self.dtype, self.forms = kernel, dtype, forms
        self.keys = {name: key for form in forms for name, key in form.keys.items()}
        self.params: list[torch.Tensor] = []
        self.states: list[dict[str, Any]] = []
        self.groups: list[int] = []

    def add(self, param: torch.Tensor, state: dict[str, Any], group: int) -> None:
        """One more parameter."""
        self.params.append(param)
        self.states.append(state)
        self.groups.append(group)

    def close(self) -> None:
        """Once all are there: what is looked up at every step; the counters move into one vector."""
        self.counts = [p.numel() for p in self.params]
        self.sizes = np.array(self.counts, dtype=np.int64)
        vector = torch.tensor([float(state["step"]) for state in self.states])
        self.steps = vector.numpy()
        for state, step in zip(self.states, vector.unbind(), strict=True):
            state["step"] = step
        self.tensors = {key: self._held(key) for key in ("step", *self.keys.values())}

    def _held(self, key: str) -> list[Any]:
        return [state.get(key) for state in self.states]

    def intact(self, state: Mapping[torch.Tensor, dict[str, Any]]) -> bool:
        """Whether parameters and states are the tensors that they were."""
        dtype = self.dtype
        return (
            all(map(is_, map(state.get, self.params), self.states))
            and all(all(map(is_, self._held(key), held)) for key, held in self.tensors.items())
            and all(
                p.dtype is dtype and p.numel() == n
                for p, n in zip(self.params, self.counts, strict=True)
            )
        )

    def prepared(
        self, optimizer: str, rule: str, hypers: Sequence[Hyper]
    ) -> Callable[[], None] | None:
        """The step of those that have a gradient, once all is found to be in order."""
        grads = [p.grad for p in self.params]
        present = np.array([g is not None for g in grads])
        if not present.any():
            return None
        held: list[torch.Tensor] = []
        copied: list[tuple[torch.Tensor, torch.Tensor]] = []
        at_param, at_grad = [], []
        for p, g, n in zip(self.params, grads, self.counts, strict=True):
            if g is None:
                at_param.append(0)
                at_grad.append(0)
                continue
            if not (p.is_cpu and p.layout is torch.strided and p.is_contiguous()):
                require_dense(optimizer, "parameter", p)
                copied.append((p, p.detach().contiguous()))
                p = copied[-1][1]
            at_param.append(p.data_ptr())
            if not (
                type(g) is torch.Tensor
                and g.layout is torch.strided
                and g.is_cpu
                and g.dtype is self.dtype
                and g.is_contiguous()
                and g.numel() == n
            ):
                g = self._usable(optimizer, g, n)
                held.append(g)
            at_grad.append(g.data_ptr())
        addresses = {PARAMS: at_param, GRADS: at_grad} | {
            name: [x.data_ptr() for x in self.tensors[key]] for name, key in self.keys.items()
        }
        plan = Plan.of_addresses(
            rule,
            FORMATS[self.dtype],
            # What has no gradient is left as it is.
            np.where(present, self.sizes, 0),
            {name: np.array(at, dtype=np.int64) for name, at in addresses.items()},
            kept={form.name: form.kept for form in self.forms if form.kept is not None},
        )
        counters = (self.steps + 1).astype(np.int64).tolist()
        each = [hypers[group] for group in self.groups]

        def run() -> None:
            plan.step(each, counters, torch.get_num_threads())
            held.clear()
            for p, copy in copied:
                p.copy_(copy)
            self.steps += present
            # As operations of torch do: a graph that has kept the old values then raises.
            changed = [p for p, g in zip(self.params, grads, strict=True) if g is not None]
            torch.autograd.graph.increment_version(changed)

        return run

    def _usable(self, optimizer: str, g: torch.Tensor, count: int) -> torch.Tensor:
        require_dense(optimizer, "gradient", g)
        if g.dtype is not self.dtype:
            raise TypeError(
                f"{optimizer} takes gradients in the parameter's format {self.dtype}, got {g.dtype}"
            )
        if g.numel() != count:
            raise ValueError(
                f"a gradient must have its parameter's {count} elements, got {g.numel()}"
            )
        return g.detach().contiguous()


class Layout:
    """The buckets of all parameters that have a state, and those that wait for their first step.

    key: of what the buckets depend on.
    """

    __slots__ = ("buckets", "key", "waiting")

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

    def close(self) -> None:
        """Once all parameters are there."""
        for bucket in self.buckets.values():
            bucket.close()

    def holds(self, key: object, state: Mapping[torch.Tensor, dict[str, Any]]) -> bool:
        """Whether it is still what it was made of."""
        return (
            self.key == key
            and not any(p.grad is not None for p in self.waiting)
            and all(bucket.intact(state) for bucket in self.buckets.values())
        )

    def prepared(
        self, optimizer: str, rule: str, hypers: Sequence[Hyper]
    ) -> Iterator[Callable[[], None]]:
        """Of every bucket the step."""
        for bucket in self.buckets.values():
            if (run := bucket.prepared(optimizer, rule, hypers)) is not None:
                yield run
