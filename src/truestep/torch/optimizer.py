"""Optimizers whose tensors a kernel of csrc/rules steps, all in one call."""

from collections.abc import Callable, Iterator
from itertools import chain

import torch

from truestep.fast.ours.rule_kernels import RuleKernel
from truestep.reference.declared import Hyper
from truestep.torch.base import PARAMETER_STATE, Base
from truestep.torch.layout import Layout, require_dense
from truestep.torch.stored import Form, Group, complete


class Optimizer(Base):
    """Steps parameters and states in place, all tensors in one call of a C++ kernel.

    Besides its namesake's arguments, which groups may override, each class takes:
    state: how moments are kept: "float32"; "bfloat16" (second moments in float32); "8bit" and
    "4bit", in blocks of 256 and 128 elements with a scale each.
    min_8bit_size: tensors of fewer elements keep float32 states in spite of "8bit" and "4bit".
    foreach and fused are taken and make no difference.

    Parameters are float32 or bfloat16, on the CPU. A loaded state is brought into the form that
    this optimizer keeps; its parameter groups come with their own numbers, as in torch.
    """

    _layout: Layout | None = None

    def require(self, group: Group) -> None:
        """Raise unless there is a kernel for the arguments of a group."""
        self._stepped(group)

    def completed(self, p: torch.Tensor, group: Group) -> None:
        """Have self.state hold all that the kernel steps, in the form that is asked for."""
        self._complete(p, group, self._stepped(group)[0])

    def forget(self) -> None:
        """The lists of tensors that are stepped together."""
        self._layout = None

    def prepared(self) -> Iterator[Callable[[], None]]:
        """Of every list of tensors the step."""
        stepped = [self._stepped(group) for group in self.param_groups]
        layout = self._laid_out([kernel for kernel, _ in stepped])
        return layout.prepared(type(self).__name__, [hyper for _, hyper in stepped])

    def _stepped(self, group: Group) -> tuple[RuleKernel, Hyper]:
        return self.row.stepped(type(self).__name__, group)

    def _laid_out(self, kernels: list[RuleKernel]) -> Layout:
        key = (
            list(map(id, chain.from_iterable(group["params"] for group in self.param_groups))),
            [
                (kernel.place, group["state"], group["min_8bit_size"], len(group["params"]))
                for kernel, group in zip(kernels, self.param_groups, strict=True)
            ],
        )
        if self._layout is not None and self._layout.holds(key, self.state):
            return self._layout
        layout = Layout(key)
        for place, (group, kernel) in enumerate(zip(self.param_groups, kernels, strict=True)):
            for p in group["params"]:
                if p.grad is None and not self.state.get(p):
                    layout.waiting.append(p)
                    continue
                require_dense(type(self).__name__, "parameter", p)
                forms = self._complete(p, group, kernel)
                layout.bucket(kernel, p.dtype, forms).add(p, self.state[p], place)
        layout.close(self.state)
        self._layout = layout
        return layout

    def _complete(self, p: torch.Tensor, group: Group, kernel: RuleKernel) -> tuple[Form, ...]:
        """Have self.state hold all that the kernel steps, in the form that is asked for."""
        state, own = self.state[p], getattr(p, PARAMETER_STATE, group["state"])
        forms = self.row.forms(kernel, {**group, "state": own}, p.numel())
        starts, anew = self.row.of(kernel).start, []
        for form in forms:
            start = float(group[starts[form.name]]) if form.name in starts else 0.0
            anew.append(complete(state, p, form, start))
        self.counted(p, anew=not state or (bool(anew) and all(anew)))
        return forms
