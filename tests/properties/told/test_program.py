"""Programs of counterexamples: they need NumPy alone, and print what the certificate has as due."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import io
import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np

from truestep.properties.judge.results import CheckResult
from truestep.properties.museum import FAULTS
from truestep.properties.run.plan import checks_of, run_check
from truestep.properties.told.lines import outputs
from truestep.properties.told.program import Failure, program
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.schedules import SCHEDULES

# Their lines pass arrays to functions of Python's own modules.
NOT_ALONE = {"sm3"}

FAILURE = Failure("rule", "p", (), 0.5, 1e-9, "ieee_float32", 2.0)


def _failed(fault: str) -> CheckResult:
    backend = FAULTS[fault].backend()
    check = next(c for c in checks_of(backend) if c.name == FAULTS[fault].check)
    return run_check(backend, check, level="smoke", seed=0)


def _due(text: str) -> str:
    """What a program prints as due, run by itself where truestep cannot be imported."""
    alone = f"import sys; sys.modules['truestep'] = None\n{text}"
    run = subprocess.run(
        [sys.executable, "-I", "-c", alone], capture_output=True, text=True, check=True
    )
    assert run.stderr == ""
    return run.stdout.split()[1].rstrip(",")


def test_what_it_prints_is_what_the_certificate_says_is_due() -> None:
    """Of a step, and of a schedule; in a dozen lines."""
    for fault in ("adamw_correction_of_first_only", "cosine_floor_ignored"):
        found = _failed(fault)
        text = str(found.extra["program"])
        assert found.worst is not None and _due(text) == found.worst["oracle_decimal"]
        assert f"return {found.worst['got_decimal']}" in text
        body = [
            node for node in ast.parse(text).body if not isinstance(node, ast.Import | ast.Expr)
        ]
        assert len(body) <= 16 and "truestep" not in text


def test_every_rule_of_gradients_stands_alone() -> None:
    """Its lines on its own first and second step, to the last bit."""
    lacking = set()
    for name, rule in OPTIMIZERS.items():
        if rule.FACTS.observables:
            continue
        given, due = _second_step(rule)
        fields = list(rule.State.__dataclass_fields__)
        failure = dataclasses.replace(FAILURE, index=(0,) * np.ndim(due))
        text = program(rule.step, given, partial(_parameter, fields), failure)
        if not text:
            lacking.add(name)
            continue
        assert _printed(text) == repr(float(np.ravel(due)[0])), f"{name}\n{text}"
    assert lacking == NOT_ALONE


def test_every_schedule_stands_alone() -> None:
    """Its lines at a few steps."""
    for name, rule in SCHEDULES.items():
        hyper = rule.Hyper()
        for t in (0, 3, 41):
            text = program(rule.value, {"h": hyper, "t": t}, _value, FAILURE)
            assert _printed(text) == repr(float(rule.value(hyper, t))), f"{name}\n{text}"


def _parameter(fields: list[str], end: ast.Return) -> ast.expr:
    return outputs(end, fields)["p"]


def _value(end: ast.Return) -> ast.expr:
    assert end.value is not None
    return end.value


def _second_step(rule: Any) -> tuple[dict[str, Any], Any]:
    hyper, shape = rule.Hyper(), () if rule.FACTS.elementwise else (2,)
    p, g = np.full(shape, 1.5), np.full(shape, -0.7)
    inputs = {name: np.ones(of(shape)) for name, of in rule.FACTS.inputs.items()}
    state, p = rule.step(hyper, rule.init(hyper, p), p, g, **inputs)
    _, due = rule.step(hyper, state, p, g, **inputs)
    return {"h": hyper, "s": state, "p": p, "g": g, **inputs}, due


def _printed(text: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(text, "<program>", "exec"), {})
    return out.getvalue().split()[1].rstrip(",")


def test_lines_that_need_more_give_no_program() -> None:
    """A function that is not of these lines, or a number of no kind that a program can hold."""

    def lines(p: Any, g: Any) -> Any:
        return p - subprocess.Popen(g)

    assert program(lines, {"p": 1.0, "g": 2.0}, _value, FAILURE) == ""
    assert program(len, {"p": 1.0}, _value, FAILURE) == ""
