"""Which of the arithmetics that a backend leaves open it is judged by."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast
from weakref import WeakKeyDictionary

import numpy as np

from truestep.fast.protocol import Backend, Capability
from truestep.properties.judge.tally import Case
from truestep.properties.kinds.kind import Steps
from truestep.properties.kinds.table import KINDS
from truestep.properties.search.identification import Reading, all_within
from truestep.properties.search.recalled import Recalled, kept

# What was found of a backend, by capability: every list of its checks needs it.
_FOUND: WeakKeyDictionary[Backend, list[Capability]] = WeakKeyDictionary()


def settled(backend: Backend) -> Sequence[Capability]:
    """A backend's capabilities, each with one arithmetic.

    Of those that it leaves open the first under which the fixed cases of its kind pass; the first
    of all, the strictest, where they pass under none.
    """
    declared = backend.capabilities()
    if not any(isinstance(each.arithmetic, tuple) for each in declared):
        return declared
    found = kept(_FOUND, backend, list)
    found += [] if found else [_settled(backend, each) for each in declared]
    return found


def told(backend: Backend) -> str:
    """What is said of a backend that was wrapped, its arithmetic included; "" of others."""
    words = str(getattr(backend, "declaration", ""))
    open_ = any(isinstance(each.arithmetic, tuple) for each in backend.capabilities())
    found = [str(each.arithmetic) for each in settled(backend)]
    return f"{words}; arithmetic {', '.join(dict.fromkeys(found))}" if words and open_ else words


def _settled(backend: Backend, capability: Capability) -> Capability:
    names = capability.arithmetic
    if not isinstance(names, tuple):
        return capability
    tries = [replace(capability, arithmetic=name) for name in names]
    return next((each for each in tries if len(tries) > 1 and _passes(backend, each)), tries[0])


def _passes(backend: Backend, capability: Capability) -> bool:
    kind = KINDS[capability.kind]
    own = Reading("", kind.rule(capability), capability.dialect)
    recalled = cast(Backend, Recalled(backend, capability))

    def judged(case: Case) -> Steps:
        return kind.read(recalled, capability, case, own)

    with np.errstate(invalid="ignore"):
        return all_within(judged, kind.battery(capability))
