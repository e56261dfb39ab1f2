"""A submission as a backend: one call for every tensor, judged as what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from truestep.fast.locating import BrokenBackend
from truestep.fast.peers.torch_tensors import from_tensor
from truestep.fast.protocol import Capability, Group, OptimizerCapability, Slot, Stepped
from truestep.fast.wrapped.submissions import asked, flashinfer, formats, gpumode, kernelbench
from truestep.fast.wrapped.submissions.fitting import Fit, fitted
from truestep.fast.wrapped.submissions.task import Call, Task
from truestep.fast.wrapped.trials import Named
from truestep.reference.advance import advanced
from truestep.reference.declared import Hyper, fields_of
from truestep.reference.optimizers import OPTIMIZERS

_READ: Mapping[formats.Format, Callable[[Path], Task]] = {
    "flashinfer": flashinfer.read,
    "gpumode": gpumode.read,
    "kernelbench": kernelbench.read,
}


@dataclass(frozen=True, slots=True)
class Backend:
    """A submission that is understood."""

    name: str
    fit: Fit
    call: Call
    offered: OptimizerCapability

    @property
    def declaration(self) -> str:
        """How it is judged, in one line."""
        rule, fit = self.offered.rule, self.fit
        form = [f"{name} {value}" for name, value in sorted(self.offered.dialect.items())]
        given = [f"{role} is {name}" for name, role in fit.tensors.items() if name != role]
        given += [f"steps made + {fit.ahead} is {fit.counter}"] if fit.counter else []
        hidden = [f"{', '.join(fit.hidden)} not given back, so not judged"] if fit.hidden else []
        state = OPTIMIZERS[rule].State.__dataclass_fields__
        kept = [name for name in state if name not in ("t", *fit.tensors.values())]
        hidden += [f"{', '.join(kept)} left as it is"] if kept else []
        fixed = [f"{name} = {value}" for name, value in sorted(self.offered.fixed.items())]
        parts = [", ".join([f"judged as {rule}", *form])]
        parts += [", ".join(each) for each in (given, hidden, fixed) if each]
        return "; ".join([*parts, f"arithmetic {self.offered.arithmetic}"])

    def capabilities(self) -> list[Capability]:
        """The rule that was asked for."""
        return [self.offered]

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One call for every tensor."""
        return [[self._stepped(group.hyper, slot) for slot in group.slots] for group in groups]

    def _stepped(self, hyper: Hyper, slot: Slot) -> Stepped:
        returned, given = self.fit.called(self.call, hyper, slot)
        state: Named = self._hidden(hyper, slot)
        for name, old in slot.state.items():
            if name == "t":
                state[name] = old + 1
            elif name not in self.fit.tensors.values():
                state[name] = old.copy()
            elif name not in self.fit.hidden:
                x = from_tensor(self.fit.found(name, returned, given).cpu())
                state[name] = x.reshape(old.shape) if x.size == old.size else x
        p = from_tensor(self.fit.found("p", returned, given).cpu())
        return Stepped(p.reshape(slot.param.shape) if p.size == slot.param.size else p, state)

    def _hidden(self, hyper: Hyper, slot: Slot) -> Named:
        """The state that the task does not give back, by the reference's lines."""
        if not self.fit.hidden:
            return {}
        rule = OPTIMIZERS[self.offered.rule]
        before = rule.State(**slot.state)
        s, _ = advanced(rule, hyper, before, slot.param, slot.grad, slot.inputs)
        after = fields_of(s)
        return {n: np.asarray(after[n], slot.state[n].dtype) for n in self.fit.hidden}


def wrapped(path: str, text: str | None) -> Backend:
    """A backend of the submission at a path. text: what it is judged as, as Asked writes it."""
    if text is None:
        raise BrokenBackend(f"{path}: say what a submission is judged as: submission:{path}@RULE")
    wanted = asked.parsed(text)
    kind, file = formats.found(Path(path))
    fit, call = fitted(_READ[kind](file), wanted)
    name = Path(path).resolve().name if Path(path).is_dir() else file.stem
    return Backend(name, fit, call, wanted.capability(fit.numbers))
