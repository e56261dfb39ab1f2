"""State that is kept elsewhere than in state[p] is found, handed over and shared as it is."""

# ruff: noqa: E402 - the imports after the skip need torch

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from truestep import wrap
from truestep.fast.discovery import BrokenBackend
from truestep.reports import judging


class Lists:
    """Adam, no torch.optim.Optimizer: moments in lists, the count in an attribute."""

    def __init__(
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:  # fmt: skip
        self.params, self.lr, self.betas, self.eps, self.t = list(params), lr, betas, eps, 0
        self.m = [torch.zeros_like(p) for p in self.params]
        self.v = [torch.zeros_like(p) for p in self.params]

    def step(self) -> None:
        """All parameters."""
        self.t += 1
        for i in range(len(self.params)):
            self.one(i)

    @torch.no_grad()
    def one(self, i: int) -> None:
        """One of them."""
        p, (b1, b2) = self.params[i], self.betas
        self.m[i].mul_(b1).add_(p.grad, alpha=1 - b1)
        self.v[i].mul_(b2).addcmul_(p.grad, p.grad, value=1 - b2)
        root = (self.v[i] / (1 - b2**self.t)).sqrt() + self.eps
        p -= self.lr * (self.m[i] / (1 - b1**self.t)) / root


class CountsEach(Lists):
    """Counts every parameter as a step."""

    def step(self) -> None:
        """All parameters."""
        for i in range(len(self.params)):
            self.t += 1
            self.one(i)


class ById:
    """Momentum of a dictionary that is filled in the first step; it clears gradients."""

    def __init__(self, params: Any, learning_rate: float = 0.01, momentum: float = 0.9) -> None:
        self.params, self.rate, self.momentum = list(params), learning_rate, momentum
        self.buffers: dict[int, Any] = {}

    def step(self) -> None:
        """Of data, and no graph."""
        for p in self.params:
            b = self.buffers.get(id(p), 0) * self.momentum + p.grad.data
            self.buffers[id(p)] = b
            p.data -= self.rate * b
            p.grad.zero_()


class OnTensors(torch.optim.Optimizer):
    """Lion that keeps its average on the parameter."""

    def __init__(self, params: Any, lr: float = 1e-4, b1: float = 0.9, b2: float = 0.99) -> None:
        super().__init__(params, {"lr": lr, "b1": b1, "b2": b2})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """In place."""
        for group in self.param_groups:
            for p in group["params"]:
                m = getattr(p, "m", torch.zeros_like(p))
                p.sub_(torch.sign(m.lerp(p.grad, 1 - group["b1"])), alpha=group["lr"])
                p.m = m.lerp(p.grad, 1 - group["b2"])


class InGroups(torch.optim.Optimizer):
    """RMSprop whose averages are in lists of the group, and that counts under a name of its own."""

    def __init__(
        self, params: Any, lr: float = 1e-3, alpha: float = 0.9, eps: float = 1e-8
    ) -> None:
        super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps})
        for group in self.param_groups:
            group["squares"] = [torch.zeros_like(p) for p in group["params"]]
        self.state["k"] = 0  # type: ignore[index, assignment]

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """In place."""
        self.state["k"] += 1  # type: ignore[index, operator]
        for group in self.param_groups:
            for p, v in zip(group["params"], group["squares"], strict=True):
                v.mul_(group["alpha"]).addcmul_(p.grad, p.grad, value=1 - group["alpha"])
                p.addcdiv_(p.grad, v.sqrt() + group["eps"], value=-self.rate(group))

    def rate(self, group: dict[str, Any]) -> float:
        """The group's own."""
        return float(group["lr"])


class FirstRate(InGroups):
    """Steps every group with the first one's rate."""

    def rate(self, group: dict[str, Any]) -> float:
        """Of the first group."""
        return float(self.param_groups[0]["lr"])


class Masters(torch.optim.Optimizer):
    """Descent with momentum on copies in float32."""

    def __init__(self, params: Any, lr: float = 1e-3, momentum: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """On the copy."""
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["master"] = p.detach().float().clone()
                    state["b"] = torch.zeros_like(state["master"])
                state["b"].mul_(group["momentum"]).add_(p.grad.float())
                p.copy_(state["master"].sub_(state["b"], alpha=group["lr"]))


@pytest.mark.parametrize(
    ("made", "rule", "due"),
    [
        (Lists, "adam", "judged as adam; m is self.m, v is self.v, t is self.t;"),
        (ById, "sgd", "judged as sgd; b is self.buffers;"),
        (OnTensors, "lion", "judged as lion, nan_sign zero; m is p.m;"),
        (InGroups, "rmsprop", "judged as rmsprop; v is group.squares, t is state.k,"),
        (Masters, "sgd", "judged as sgd; b is b; dampening = 0.0,"),
    ],
)
def test_where_state_is_kept(made: type, rule: str, due: str) -> None:
    """It is told; and steps from states of any count pass, several tensors at a time."""
    backend = wrap.torch(made, rule)
    assert backend.declaration.startswith(due)
    assert judging.certify(backend, only="*lockstep*", level="smoke").passed


@pytest.mark.parametrize(
    ("made", "rule", "said"),
    [
        (CountsEach, "adam", r"of two .* the second parameter is stepped otherwise than alone"),
        (FirstRate, "rmsprop", r"the parameter of the second group, which has another rate, is st"),
    ],
)
def test_what_is_shared_and_should_not_be(made: type, rule: str, said: str) -> None:
    """Each alone is right; of two in one optimizer it is told which is not, and by how much."""
    with pytest.raises(BrokenBackend, match=said):
        wrap.torch(made, rule)


def test_a_rate_that_is_another_groups_fails() -> None:
    """Where all state is in state[p], the judge's own cases of several groups show it."""

    class First(torch.optim.Optimizer):
        def __init__(self, params: Any, lr: float = 1e-3) -> None:
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self, closure: None = None) -> None:  # type: ignore[override]
            for group in self.param_groups:
                for p in group["params"]:
                    p.sub_(p.grad, alpha=self.param_groups[0]["lr"])

    assert not judging.certify(wrap.torch(First, "sgd"), only="*lockstep*", level="smoke").passed
