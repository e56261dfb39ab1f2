"""The class below all optimizers of this package: a torch.optim.Optimizer over the CPU kernels."""

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, ClassVar

import torch

from truestep.fast.ours.rule_kernels import RuleKernel
from truestep.reference.declared import Hyper
from truestep.torch.layout import COUNTER, Layout, require_dense
from truestep.torch.rows import IGNORED, KEEPING, Row
from truestep.torch.stored import Form, complete

# An attribute of a parameter: how its state is kept, whatever its group says.
PARAMETER_STATE = "truestep_state"


class _Held:
    """Keeps a state's tensors from being cast to the parameter's format as they are loaded."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        self.state = state


class Optimizer(torch.optim.Optimizer):  # type: ignore[misc]
    """Steps parameters and states in place, all tensors in one call of a C++ kernel.

    Besides its namesake's arguments, which groups may override, each class takes:
    state: how moments are kept: "float32"; "bfloat16" (second moments in float32); "8bit" and
    "4bit", in blocks of 256 and 128 elements with a scale each.
    min_8bit_size: tensors of fewer elements keep float32 states in spite of "8bit" and "4bit".
    foreach and fused are taken and make no difference.

    Parameters are float32 or bfloat16, on the CPU. A loaded state is brought into the form that
    this optimizer keeps; its parameter groups come with their own numbers, as in torch.
    """

    row: ClassVar[Row]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "row" in cls.__dict__:
            cls.__signature__ = cls.row.signature

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        bound = self.row.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        params = bound.arguments.pop("params")
        self._layout: Layout | None = None
        super().__init__(params, {x: v for x, v in bound.arguments.items() if x not in IGNORED})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Parameters to be stepped from now on, with arguments of their own."""
        super().add_param_group(param_group)
        self._layout = None
        try:
            self._stepped(self.param_groups[-1])
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
            stepped = [self._stepped(group) for group in self.param_groups]
            layout = self._laid_out([kernel for kernel, _ in stepped])
            hypers = [hyper for _, hyper in stepped]
            for run in list(layout.prepared(type(self).__name__, hypers)):
                run()

    def state_dict(self) -> dict[str, Any]:
        """The state as it is now: a copy, which later steps leave alone, unlike torch's own."""
        held: dict[str, Any] = super().state_dict()
        state = {
            key: {name: _own(x) for name, x in of.items()} for key, of in held["state"].items()
        }
        return {**held, "state": state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state_dict() of this class or of its namesake in torch.

        How the state is kept stays as it is here.
        """
        last = self.register_load_state_dict_pre_hook(_loadable)
        try:
            super().load_state_dict(state_dict)
        finally:
            last.remove()

    def __setstate__(self, state: dict[str, Any]) -> None:
        before = self.__dict__.get("param_groups", [])
        super().__setstate__(state)
        self._layout = None
        for group, old in zip(self.param_groups, before, strict=False):
            group.update({name: old[name] for name in KEEPING})
        for group in self.param_groups:
            for name in self.defaults:
                group.setdefault(name, self.defaults[name])
            kernel, _ = self._stepped(group)
            for p in group["params"]:
                if isinstance(held := self.state.get(p), _Held):
                    self.state[p] = {name: _own(x) for name, x in held.state.items()}
                    self._complete(p, group, kernel)

    def _stepped(self, group: Mapping[str, Any]) -> tuple[RuleKernel, Hyper]:
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

    def _complete(
        self, p: torch.Tensor, group: Mapping[str, Any], kernel: RuleKernel
    ) -> tuple[Form, ...]:
        """Have self.state hold all that the kernel steps, in the form that is asked for."""
        state, own = self.state[p], getattr(p, PARAMETER_STATE, group["state"])
        forms = self.row.forms(kernel, {**group, "state": own}, p.numel())
        starts, anew = self.row.of(kernel).start, []
        for form in forms:
            start = float(group[starts[form.name]]) if form.name in starts else 0.0
            anew.append(complete(state, p, form, start))
        begins = not state or (bool(anew) and all(anew))
        # torch's SGD counts no steps: with a buffer there has been one.
        counted = 0.0 if begins else float(state.get("step", 1.0))
        state["step"] = torch.tensor(counted, dtype=COUNTER)
        return forms


def _loadable(optimizer: Optimizer, state_dict: dict[str, Any]) -> dict[str, Any]:
    """What torch's load_state_dict may be given, once it is known to be of use."""
    groups = state_dict["param_groups"]
    for group in groups:
        optimizer._stepped({**optimizer.defaults, **group, "state": "float32"})
    held = {key: _Held(state) for key, state in state_dict["state"].items()}
    return {**state_dict, "state": held}


def _own(x: Any) -> Any:
    return x.detach().clone() if isinstance(x, torch.Tensor) else x
