"""One call before a run: whether backend and judge understand one another at all."""

from collections.abc import Iterable

from truestep.fast.discovery import BrokenBackend
from truestep.fast.protocol import Backend
from truestep.properties.judge.calls import BackendLost
from truestep.properties.judge.results import Check, check_id
from truestep.properties.kinds import kind as kinds
from truestep.properties.kinds.table import KINDS


def require_understood(spec: str, backend: Backend, checks: Iterable[Check]) -> None:
    """Raise BrokenBackend where every capability's first result is none that could be judged.

    Where some are, each of the others fails its own checks.
    """
    faults = []
    first: dict[int, Check] = {}
    for check in checks:
        if check.kind == check.capability.kind:  # a theorem is an experiment, and takes long
            first.setdefault(id(check.capability), check)
    for check in first.values():
        try:
            told = kinds.misunderstood(KINDS[check.kind], backend, check)
        except BackendLost:
            return
        if not told:
            return
        faults.append(f"{check_id(check.capability, '')}: {told}")
    if faults:
        raise BrokenBackend(f"{spec}: {faults[0]}")
