"""Objects with a life: correct ones pass every law, faulty ones fail the law that is theirs."""

# ruff: noqa: E402 - the imports after the skip need torch

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from truestep.fast import discovery
from truestep.fast.peers import torch_lives
from truestep.fast.peers.torch import scaled
from truestep.fast.peers.torch_lives import Life
from truestep.fast.protocol import OFFERS, Capability, Observation, Program
from truestep.properties.judge.results import CheckResult
from truestep.properties.kinds.life import laws
from truestep.properties.run.plan import checks_of, replay_check, run_check


class Correct(torch.optim.Optimizer):
    """SGD with momentum and decay, written so that every law holds."""

    def __init__(
        self, params: Any, lr: Any = 0.1, momentum: float = 0.0, weight_decay: float = 0.0
    ):
        if lr < 0 or weight_decay < 0 or not 0 <= momentum < 1:
            raise ValueError("out of range")
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """A group with a rate of its own."""
        rate = param_group.get("lr", self.defaults["lr"])
        own = rate.clone() if isinstance(rate, torch.Tensor) else rate
        super().add_param_group({**param_group, "lr": own})

    def state_dict(self) -> dict[str, Any]:
        """What is of now."""
        import copy

        return copy.deepcopy(super().state_dict())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Shares nothing."""
        import copy

        super().load_state_dict(copy.deepcopy(state_dict))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """p <- p - lr (buffer <- momentum buffer + g + weight_decay p)."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.one(group, p, self.state[p])
        return loss

    def one(self, group: dict[str, Any], p: torch.Tensor, state: dict[str, Any]) -> None:
        """The step of one parameter."""
        buffer = state.setdefault("buffer", torch.zeros_like(p))
        buffer.mul_(group["momentum"]).add_(p.grad + self.decay(group) * p)  # type: ignore[operator]
        p.sub_(float(group["lr"]) * buffer)

    def decay(self, group: dict[str, Any]) -> float:
        """The group's weight decay."""
        return float(group["weight_decay"])


class DecaysTwice(Correct):
    """Once loaded, decays twice."""

    loaded = False

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.loaded = True

    def decay(self, group: dict[str, Any]) -> float:
        return super().decay(group) * (1 + self.loaded)


class StaleDecay(Correct):
    """For one step after loading, decays by what the constructor was given."""

    stale: float | None = None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.stale = self.defaults["weight_decay"]

    def step(self, closure: Any = None) -> Any:
        loss = super().step(closure)
        self.stale = None
        return loss

    def decay(self, group: dict[str, Any]) -> float:
        return super().decay(group) if self.stale is None else self.stale


class LoadsWrongParameter(Correct):
    """The states of the first two parameters are exchanged where their shapes allow it."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        states = dict(state_dict["state"])
        if len(states) > 1:
            keys = list(states)
            states = dict(zip(keys, [states[k] for k in reversed(keys)], strict=True))
        super().load_state_dict({**state_dict, "state": states})


class LoadsWrongFormat(Correct):
    """State is loaded in bfloat16."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        for state in self.state.values():
            state["buffer"] = state["buffer"].bfloat16()


class Shares(Correct):
    """What is loaded is shared with what was saved."""

    def state_dict(self) -> dict[str, Any]:
        return torch.optim.Optimizer.state_dict(self)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        torch.optim.Optimizer.load_state_dict(self, state_dict)


class SharesDictionary(Correct):
    """The state dictionary is that of now and of later."""

    def state_dict(self) -> dict[str, Any]:
        return torch.optim.Optimizer.state_dict(self)


class TurnsGroups(Correct):
    """The groups' numbers come back in the opposite order."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        groups = state_dict["param_groups"]
        turned = [
            {**other, "params": group["params"]}
            for group, other in zip(groups, reversed(groups), strict=True)
        ]
        super().load_state_dict({**state_dict, "param_groups": turned})


class NoneIsZero(Correct):
    """A gradient of None is taken for zero."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        return super().step(closure)


class ZeroIsNone(Correct):
    """A gradient of zero is taken for None."""

    def one(self, group: dict[str, Any], p: torch.Tensor, state: dict[str, Any]) -> None:
        if p.grad is not None and p.grad.any():
            super().one(group, p, state)


class SharesRate(Correct):
    """Groups share the tensor of their rate."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        torch.optim.Optimizer.add_param_group(self, param_group)


class LosesLoss(Correct):
    """The closure's loss is not returned."""

    def step(self, closure: Any = None) -> Any:
        super().step(closure)


class Unchecked(Correct):
    """Takes whatever it is given."""

    def __init__(self, params: Any, lr: Any = 0.1, **rest: float):
        super().__init__(params, abs(lr), **{k: min(abs(x), 0.9) for k, x in rest.items()})


class FirstGroupsDecay(Correct):
    """Every group decays as the first one."""

    def decay(self, group: dict[str, Any]) -> float:
        return float(self.param_groups[0]["weight_decay"])


class MostMomentum(Correct):
    """Every group has the momentum of the last one."""

    def one(self, group: dict[str, Any], p: torch.Tensor, state: dict[str, Any]) -> None:
        super().one({**group, "momentum": self.param_groups[-1]["momentum"]}, p, state)


class DefaultMomentum(Correct):
    """Every group has the momentum of the constructor."""

    def one(self, group: dict[str, Any], p: torch.Tensor, state: dict[str, Any]) -> None:
        super().one({**group, "momentum": self.defaults["momentum"]}, p, state)


class FirstMomentum(Correct):
    """Every group has the momentum of the first one."""

    def one(self, group: dict[str, Any], p: torch.Tensor, state: dict[str, Any]) -> None:
        super().one({**group, "momentum": self.param_groups[0]["momentum"]}, p, state)


class ForgetsAdded(Correct):
    """A group that joins has the numbers of the defaults."""

    made = False

    def __init__(self, *args: Any, **numbers: Any):
        super().__init__(*args, **numbers)
        self.made = True

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        group = {"params": param_group["params"]} if self.made else param_group
        super().add_param_group(group)


class CountsByGroup(Correct):
    """Its momentum grows with the steps of the group, whichever parameters have gradients."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            group["steps"] = group.get("steps", 0) + 1
        return super().step(closure)

    def decay(self, group: dict[str, Any]) -> float:
        return super().decay(group) / group["steps"]


class CountsAll(CountsByGroup):
    """A group that joins begins at the count of the first one."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group(param_group)
        self.param_groups[-1]["steps"] = self.param_groups[0].get("steps", 0)


class StepsWithoutGradients(CountsByGroup):
    """Parameters without gradients shrink."""

    def step(self, closure: Any = None) -> Any:
        with torch.no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        p.mul_(0.5)
        return super().step(closure)


class DefaultFormat(Correct):
    """Its buffer has the default format, of which there is one for all tensors."""

    def one(self, group: dict[str, Any], p: torch.Tensor, state: dict[str, Any]) -> None:
        buffer = state.setdefault("buffer", torch.zeros(p.shape))
        buffer.mul_(group["momentum"]).add_(p.grad + self.decay(group) * p)  # type: ignore[operator]
        p.sub_((0.1 * buffer + float(group["lr"]) * buffer).to(p.dtype))


_NUMBERS = {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.1}
_WRONG = {"lr": -1.0, "momentum": -0.5, "weight_decay": -1.0}


class Bench:
    """A backend of one class."""

    name = "bench"

    def __init__(self, life: Life) -> None:
        self.life = life

    def capabilities(self) -> list[Capability]:
        """The one."""
        return [self.life.capability]

    def lived(self, capability: Capability, programs: Sequence[Program]) -> list[list[Observation]]:
        """Its lives."""
        return torch_lives.lived([self.life], capability, programs)


def optimizer(kind: Callable[..., Any]) -> Bench:
    """A class as an object with a life."""
    offers = (*torch_lives.ALL, "tensor_lr")
    return Bench(Life("subject", kind, numbers=_NUMBERS, wrong=_WRONG, offers=offers))


def verdict(bench: Bench, law: str, level: Any = "smoke") -> CheckResult:
    """Of one law."""
    [check] = [check for check in checks_of(bench) if check.name == f"law:{law}"]
    return run_check(bench, check, level=level, seed=0)


@pytest.mark.parametrize("law", laws.holding(optimizer(Correct).life.capability))
def test_correct_optimizer_passes_every_law(law: str) -> None:
    """Each law is judged, and holds."""
    result = verdict(optimizer(Correct), law)
    assert result.verdict == "pass", result.message


def counted(kind: Callable[..., Any], counts: str) -> Bench:
    """A class as an object whose steps are counted in that way."""
    bench = optimizer(kind)
    bench.life = replace(bench.life, dialect={"counts": counts})
    return bench


def test_counts_of_groups_are_a_dialect() -> None:
    """Who counts by group passes if that is declared, and by a law of its own fails if not."""
    for check in checks_of(counted(CountsByGroup, "group")):
        result = run_check(counted(CountsByGroup, "group"), check, level="smoke", seed=0)
        assert result.verdict == "pass", result.message
    law = "unchanged_when_all_gradients_are_none"
    assert verdict(optimizer(CountsByGroup), law).verdict == "fail"


@pytest.mark.parametrize(
    ("fault", "law"),
    [
        (CountsAll, "added_group_steps_as_if_fresh"),
        (StepsWithoutGradients, "unchanged_when_all_gradients_are_none"),
    ],
)
def test_faulty_counts_of_groups_are_found(fault: Any, law: str) -> None:
    """What a group's count does not excuse fails, and is a law's that speaks of such counts."""
    assert verdict(counted(fault, "group"), law).verdict == "fail"


def test_one_count_for_all_groups_is_a_dialect() -> None:
    """Of a group that joins, laws say nothing then."""
    held = laws.holding(counted(CountsAll, "all").life.capability)
    assert not {"added_group_steps_as_if_fresh", "added_group_equals_one_without_gradients"} & {
        *held
    }


def test_a_life_that_laws_have_in_common_is_lived_once() -> None:
    """Of one class; another one of the same backend lives its own."""
    asked: list[int] = []

    class Counting(Bench):
        def lived(
            self, capability: Capability, programs: Sequence[Program]
        ) -> list[list[Observation]]:
            asked.append(len(programs))
            return super().lived(capability, programs)

    bench = Counting(optimizer(Correct).life)
    assert verdict(bench, "resumes_bitwise_from_state_dict").verdict == "pass"
    first = sum(asked)
    assert verdict(bench, "resumes_bitwise_from_saved_file").verdict == "pass"
    # The renewed lives are others, and what is due of them is known.
    assert sum(asked) - first == first / 2
    bench.life = replace(optimizer(LoadsWrongFormat).life, variant="other")
    assert verdict(bench, "resumes_bitwise_from_saved_file").verdict == "fail"


def test_backend_with_lives_is_accepted() -> None:
    """What it declares is looked at, words of OFFERS among it."""
    bench = optimizer(Correct)
    discovery.check(bench, "bench")
    bench.life = replace(bench.life, offers=("group",))
    with pytest.raises(discovery.BrokenBackend, match="offer 'group' is not one of"):
        discovery.check(bench, "bench")


FAULTS = {
    DecaysTwice: "resumes_bitwise_from_state_dict",
    DefaultMomentum: "groups_number_is_as_the_constructors",
    MostMomentum: "groups_number_is_as_the_constructors",
    FirstMomentum: "group_unchanged_when_another_is_given_a_number",
    DefaultFormat: "unchanged_when_default_format_is_float64",
    FirstGroupsDecay: "equivariant_under_order_of_groups",
    ForgetsAdded: "added_group_equals_constructed_group",
    LoadsWrongFormat: "resumes_bitwise_from_state_dict",
    LoadsWrongParameter: "resumes_bitwise_from_saved_file",
    LosesLoss: "closure_loss_is_returned",
    NoneIsZero: "untouched_when_gradient_is_none",
    Shares: "original_unchanged_when_copy_steps",
    SharesDictionary: "state_dict_unchanged_when_owner_steps",
    SharesRate: "group_unchanged_when_others_rate_is_set",
    StaleDecay: "resumes_bitwise_when_constructed_otherwise",
    TurnsGroups: "resumes_bitwise_from_state_dict",
    Unchecked: "raises_when_an_argument_is_wrong",
    ZeroIsNone: "zero_gradient_differs_from_none",
}


@pytest.mark.parametrize(("fault", "law"), FAULTS.items(), ids=lambda x: getattr(x, "__name__", x))
def test_faulty_optimizer_fails_the_law_that_is_its(fault: Any, law: str) -> None:
    """The message shows both lives, and the recorded case fails again."""
    bench = optimizer(fault)
    result = verdict(bench, law)
    assert result.verdict == "fail"
    assert "  life: " in result.message and "the law: " in result.message
    assert result.worst is not None
    [check] = [check for check in checks_of(bench) if check.name == f"law:{law}"]
    record = json.loads(json.dumps(result.worst["case"]))
    assert replay_check(bench, check, record).verdict == "fail"


class LateByOne(torch.optim.lr_scheduler.LambdaLR):
    """Once loaded, it is one step behind."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.last_epoch -= 1


class ForgetsBadEpochs(torch.optim.lr_scheduler.ReduceLROnPlateau):
    """Its counter of bad epochs is not saved."""

    def state_dict(self) -> dict[str, Any]:
        held = super().state_dict()
        held.pop("num_bad_epochs")
        return held


class LosesPatience(torch.optim.lr_scheduler.ReduceLROnPlateau):
    """Once loaded, it is patient for one step less."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.patience -= 1


_LATEST: list[Any] = []


class ReadsAnothers(torch.optim.lr_scheduler.LambdaLR):
    """Takes the initial rates of the optimizer that was made last."""

    def __init__(self, optimizer: Any, *given: Any, **named: Any):
        _LATEST[:] = [optimizer]
        super().__init__(optimizer, *given, **named)

    def get_lr(self) -> list[float]:
        other = _LATEST[0].param_groups[0]["lr"]
        return [other * 0.5 for _ in self.base_lrs]


class SharesInitial(torch.optim.lr_scheduler.LambdaLR):
    """The initial rate is the group's own tensor."""

    def __init__(self, optimizer: Any, *given: Any, **named: Any):
        super().__init__(optimizer, *given, **named)
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]


class SharesList(torch.optim.lr_scheduler.LambdaLR):
    """Its past is a list that the state dictionary shares, and that decides what follows."""

    def __init__(self, optimizer: Any, *given: Any, **named: Any):
        self.past: list[int] = []
        super().__init__(optimizer, *given, **named)

    def get_lr(self) -> list[float]:
        self.past.append(1)
        return [base / len(self.past) for base in self.base_lrs]


def _halves(k: int) -> float:
    return 0.5**k


SCHEDULERS = {
    ForgetsBadEpochs: "rates_resume_from_state_dict",
    LateByOne: "rates_resume_from_state_dict",
    LosesPatience: "rates_resume_when_scheduler_is_loaded_first",
    ReadsAnothers: "original_rates_unchanged_when_copy_steps",
    SharesInitial: "initial_rates_unchanged",
    SharesList: "state_dict_keeps_its_rates_when_owner_steps",
}


def scheduler(kind: Callable[..., Any]) -> Bench:
    """A scheduler's class as an object with a life."""
    plateau = issubclass(kind, torch.optim.lr_scheduler.ReduceLROnPlateau)
    given: dict[str, Any] = {"patience": 1} if plateau else {"lr_lambda": _halves}
    offers = ("groups", "rates", "tensor_lr", *(["metric"] if plateau else ["initial_lr"]))
    attach = partial(kind, **given)
    numbers = {"lr": 0.05}
    return Bench(Life("subject", Correct, attach, attach, numbers=numbers, offers=offers))


def test_correct_scheduler_passes_every_law() -> None:
    """Schedulers of torch on a correct optimizer pass what they are judged by."""
    bench = scheduler(torch.optim.lr_scheduler.LambdaLR)
    for check in checks_of(bench):
        result = run_check(bench, check, level="smoke", seed=0)
        assert result.verdict == "pass", result.message


@pytest.mark.parametrize(
    ("fault", "law"), SCHEDULERS.items(), ids=lambda x: getattr(x, "__name__", x)
)
def test_faulty_scheduler_fails_the_law_that_is_its(fault: Any, law: str) -> None:
    """Each fault is found by a law of its own."""
    assert verdict(scheduler(fault), law).verdict == "fail"


class StepsAnyway(scaled.Scaled):
    """Infinite gradients are stepped by."""

    def step(self) -> None:
        self.optimizer.step()


class LosesScaledGradients(scaled.Scaled):
    """Gradients are not divided by the scale."""

    def step(self) -> None:
        factor = self.scaler.scale(torch.ones(()))
        for p in (p for group in self.param_groups for p in group["params"]):
            p.grad = p.grad * factor
        finite = all(
            bool(p.grad.isfinite().all()) for group in self.param_groups for p in group["params"]
        )
        if finite:
            self.optimizer.step()


class ForgetsGrowth(scaled.Scaled):
    """The steps since the scale last changed are not saved."""

    def load_state_dict(self, held: dict[str, Any]) -> None:
        super().load_state_dict({**held, "scaler": {**held["scaler"], "_growth_tracker": 0}})


class KeepsScale(scaled.Scaled):
    """The scale is that of the constructor, whatever is loaded."""

    def load_state_dict(self, held: dict[str, Any]) -> None:
        scale = self.scaler.get_scale()
        super().load_state_dict({**held, "scaler": {**held["scaler"], "scale": scale}})


SCALERS = {
    ForgetsGrowth: "resumes_bitwise_from_state_dict",
    KeepsScale: "resumes_bitwise_when_constructed_otherwise",
    LosesScaledGradients: "unchanged_when_gradients_are_scaled",
    StepsAnyway: "skips_a_step_when_a_gradient_is_infinite",
}


@pytest.mark.parametrize(("fault", "law"), SCALERS.items(), ids=lambda x: getattr(x, "__name__", x))
def test_faulty_loss_scaler_fails_the_law_that_is_its(fault: Any, law: str) -> None:
    """And torch's own passes it."""
    bench = Bench(scaled.life("SGD", fault, lr=0.03, momentum=0.8))
    assert verdict(bench, law).verdict == "fail"
    assert verdict(Bench(scaled.LIVES[1]), law).verdict == "pass"


def test_every_law_is_reached() -> None:
    """Every need of a law is a word of what objects offer, and every law belongs to one rule."""
    own = [law for table in laws.BY_RULE.values() for law in table]
    assert sorted(own) == sorted(laws.LAWS)
    words = {*OFFERS, "lr", "weight_decay", "wrong", "apart", "counted", "uncoupled"}
    assert {need for needs in laws.NEEDS.values() for need in needs} <= words
    assert laws.NEEDS.keys() <= laws.LAWS.keys()
