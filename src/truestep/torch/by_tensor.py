"""Optimizers that step one tensor after another: by row and column, and of matrices."""

from collections.abc import Callable, Iterator
from functools import partial

import torch

from truestep.reference.declared import Hyper
from truestep.torch.base import Base
from truestep.torch.layout import gradient_like, usable
from truestep.torch.stored import Form, Group, Held, complete


class ByTensor(Base):
    """Steps parameters and states in place, each in a call of its own.

    foreach and fused are taken and make no difference. Parameters are float32 or bfloat16, on the
    CPU. A loaded state is brought into the form that this optimizer keeps; its parameter groups
    come with their own numbers, as in torch.
    """

    def require(self, group: Group) -> None:
        """Raise unless the arguments of a group are the rule's."""
        self.row.asked(type(self).__name__, group)

    def completed(self, p: torch.Tensor, group: Group) -> None:
        """Have self.state hold all that a step needs, in the form that is asked for."""
        self._complete(p, group)

    def _complete(self, p: torch.Tensor, group: Group) -> list[Form]:
        forms = self.forms(p, group)
        anew = [complete(self.state[p], like, form, 0.0) for form, like in forms]
        self.counted(p, anew=all(anew))
        return [form for form, _ in forms]

    def prepared(self) -> Iterator[Callable[[], None]]:
        """Of every parameter that has a gradient the step."""
        name = type(self).__name__
        for group in self.param_groups:
            self.require(group)
            for p in group["params"]:
                if p.grad is None:
                    continue
                param = usable(name, "parameter", p)
                gradient = gradient_like(name, p.grad, p.dtype, p.numel())
                forms = self._complete(p, group)
                yield partial(self._run, p, param, gradient, group, forms)

    def _run(
        self,
        p: torch.Tensor,
        param: torch.Tensor,
        gradient: torch.Tensor,
        group: Group,
        forms: list[Form],
    ) -> None:
        state = self.state[p]
        if p.numel():
            hyper = self.hyper(p, group)
            step = int(state["step"]) + 1
            self.move(hyper, step, param.detach(), gradient.detach(), state, forms)
        if param is not p:
            p.copy_(param)
        state["step"] += 1
        # As operations of torch do: a graph that has kept the old values then raises.
        torch.autograd.graph.increment_version([p])

    def hyper(self, p: torch.Tensor, group: Group) -> Hyper:
        """The numbers of the step of a parameter."""
        return self.row.asked(type(self).__name__, group)[1]

    def forms(self, p: torch.Tensor, group: Group) -> list[tuple[Form, torch.Tensor]]:
        """The tensors of a parameter's state, and one of each one's shape."""
        raise NotImplementedError

    def move(
        self,
        hyper: Hyper,
        step: int,
        param: torch.Tensor,
        gradient: torch.Tensor,
        state: Held,
        forms: list[Form],
    ) -> None:
        """Step a contiguous parameter that has elements, and its state, in place."""
        raise NotImplementedError
