"""The class below all optimizers of this package: what torch.optim.Optimizer asks of each."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import torch

from truestep.torch.layout import COUNTER
from truestep.torch.rows import IGNORED, KEEPING, Row
from truestep.torch.stored import Group, Held

# An attribute of a parameter: how its state is kept, whatever its group says.
PARAMETER_STATE = "truestep_state"


class _Uncast:
    """Keeps a state's tensors from being cast to the parameter's format as they are loaded."""

    def __init__(self, state: Group) -> None:
        self.state = state


class Base(torch.optim.Optimizer):  # type: ignore[misc]
    """Arguments, groups, state dicts and pickles; how it steps is for those above."""

    row: ClassVar[Row]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "row" in cls.__dict__:
            cls.__signature__ = cls.row.signature

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        bound = self.row.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        params = bound.arguments.pop("params")
        super().__init__(params, {x: v for x, v in bound.arguments.items() if x not in IGNORED})

    def add_param_group(self, param_group: Held) -> None:
        """Parameters to be stepped from now on, with arguments of their own."""
        super().add_param_group(param_group)
        self.forget()
        try:
            self.require(self.param_groups[-1])
        except (TypeError, ValueError):
            del self.param_groups[-1]
            raise

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step on every parameter that has a gradient; what the closure returned, if any.

        Raises before anything is changed.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._step()
        return loss

    # A compiled step of training leaves its graph here: addresses cannot be traced.
    @torch._disable_dynamo  # type: ignore[untyped-decorator]
    def _step(self) -> None:
        with torch.no_grad():
            for run in list(self.prepared()):
                run()

    def prepared(self) -> Iterable[Callable[[], None]]:
        """What steps, once all is found to be in order."""
        raise NotImplementedError

    def require(self, group: Group) -> None:
        """Raise unless the arguments and parameters of a group can be stepped."""
        raise NotImplementedError

    def completed(self, p: torch.Tensor, group: Group) -> None:
        """Have a loaded state hold all that a step needs, in the form that is asked for."""
        raise NotImplementedError

    def forget(self) -> None:
        """What is remembered of parameters and states, since they change."""

    def counted(self, p: torch.Tensor, *, anew: bool) -> None:
        """Have a completed state hold the number of its steps; anew: its tensors are all new."""
        state = self.state[p]
        # torch's SGD counts no steps: with a buffer there has been one.
        made = 0.0 if anew else float(state.get("step", 1.0))
        state["step"] = torch.tensor(made, dtype=COUNTER)

    def state_dict(self) -> Held:
        """The state as it is now: a copy, which later steps leave alone, unlike torch's own."""
        held: Held = super().state_dict()
        state = {
            key: {name: _own(x) for name, x in of.items()} for key, of in held["state"].items()
        }
        return {**held, "state": state}

    def load_state_dict(self, state_dict: Held) -> None:
        """Take over a state_dict() of this class or of its namesake in torch.

        How the state is kept stays as it is here.
        """
        last = self.register_load_state_dict_pre_hook(_loadable)
        try:
            super().load_state_dict(state_dict)
        finally:
            last.remove()

    def __setstate__(self, state: Held) -> None:
        before = self.__dict__.get("param_groups", [])
        super().__setstate__(state)
        self.forget()
        for group, old in zip(self.param_groups, before, strict=False):
            group.update({name: old[name] for name in KEEPING})
        for group in self.param_groups:
            for name in self.defaults:
                group.setdefault(name, self.defaults[name])
            self.require(group)
            for p in group["params"]:
                if isinstance(held := self.state.get(p), _Uncast):
                    self.state[p] = {name: _own(x) for name, x in held.state.items()}
                    self.completed(p, group)


def _loadable(optimizer: Base, state_dict: Held) -> Held:
    """What torch's load_state_dict may be given, once it is known to be of use."""
    groups = state_dict["param_groups"]
    for group in groups:
        optimizer.require({**optimizer.defaults, **group, "params": [], "state": "float32"})
    held = {key: _Uncast(state) for key, state in state_dict["state"].items()}
    return {**state_dict, "state": held}


def _own(x: Any) -> Any:
    return x.detach().clone() if isinstance(x, torch.Tensor) else x
