"""What is told of a schedule's wrong value: at which steps there are more, and a program."""

import ast
from collections.abc import Sequence
from typing import cast

import numpy as np

from truestep.fast.protocol import BackendUnavailable
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.judge.calls import BackendFault, BackendRaised
from truestep.properties.judge.contracts import Judged, utilisations
from truestep.properties.judge.results import SLACK
from truestep.properties.kinds.schedule import step as scheduling
from truestep.properties.kinds.schedule.laws import Subject
from truestep.properties.told.account import Account
from truestep.properties.told.pattern import Elements, words
from truestep.properties.told.program import Failure, program

# Steps of the run, from its first, that are looked at beside the case's own.
_FIRST = 64


def account(subject: Subject, steps: Sequence[int], found: Judged) -> Account:
    """What is told where each value is judged by the closed form: of a recursion nothing."""
    capability, module, hyper = subject.capability, subject.module, subject.hyper
    if capability.recursive:
        return Account()
    j = found.judgement
    t = int(steps[(j.index or (0,))[0]])
    failure = Failure(
        capability.rule,
        f"the value at t = {t}",
        (),
        j.got,
        j.bound,
        arithmetic_of(capability.arithmetic).name,
        SLACK,
    )
    alone = program(
        module.value, {"h": hyper, "t": t}, lambda end: cast(ast.expr, end.value), failure
    )
    seen = subject.defined([*range(_FIRST), *steps])
    try:
        got = subject.values(seen)
    except (BackendFault, BackendRaised, BackendUnavailable):
        return Account(program=alone)
    due = scheduling.contract(module, capability, hyper, seen)
    exactly = due.like(due.v, np.zeros_like(due.e), due.format)
    numbers = {"t": np.array([float(t) for t in seen])}
    pattern = words(Elements(numbers, {"the value": utilisations(got, due, exactly)}), unit="step")
    return Account(pattern, program=alone)
