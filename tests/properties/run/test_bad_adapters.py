"""Adapters that are wrong before anything can be judged: one line that shows the value."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from truestep.fast.discovery import BrokenBackend, UnknownBackend
from truestep.properties.run.plan import checks_of, run_check
from truestep.properties.run.preflight import require_understood
from truestep.properties.run.remote import Remote

RIGHT = """\
import numpy as np
from truestep.fast.protocol import OptimizerCapability, Stepped

class Backend:
    name = "ball"

    def capabilities(self):
        return [OptimizerCapability(rule="heavy_ball", format="float32", arithmetic="ieee_float32")]

    def optimizer_step(self, capability, groups):
        return [[self.step(group.hyper, slot) for slot in group.slots] for group in groups]

    def step(self, h, slot):
        f = np.float32
        with np.errstate(all="ignore"):
            g = -slot.grad if h.maximize else slot.grad
            g = g + f(h.weight_decay) * slot.param
            ahead = f(h.momentum) * (slot.param - slot.state["p_previous"])
            p = slot.param - f(h.lr) * g + ahead
        return Stepped(p, {"t": slot.state["t"] + 1, "p_previous": slot.param.copy()})
"""
PREVIOUS = ', "p_previous": slot.param.copy()}'


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., str]:
    """Writes the adapter with one text replaced, and gives what names it."""

    def write(old: str = "", new: str = "") -> str:
        assert RIGHT.count(old) == 1 or not old
        path = tmp_path / "adapter.py"
        path.write_text(RIGHT.replace(old, new) if old else RIGHT, encoding="utf-8")
        return f"{path}:Backend"

    return write


def _understood(spec: str) -> Remote:
    backend = Remote(spec, 10.0)
    try:
        require_understood(spec, backend, checks_of(backend))
    except BaseException:
        backend.close()
        raise
    return backend


# What is wrong, in whose place, and what the line says of it.
WRONG = {
    "arithmetic": ('"ieee_float32"', '"ieee_float99"', "unknown arithmetic 'ieee_float99'"),
    "constructor": (
        "    name = ",
        "    def __init__(self):\n        raise OSError('no licence')\n    name = ",
        "raised OSError: no licence (",
    ),
    "count": (
        '"t": slot.state["t"] + 1',
        '"t": slot.state["t"] + 1.0',
        "t must be an integer, got 1.0 (group 0, slot 0)",
    ),
    "dialect": (
        'rule="heavy_ball"',
        'rule="heavy_ball", dialect={"dekay": "before"}',
        "(heavy_ball): dialect field 'dekay' is not one of: none",
    ),
    "dtype": (
        "Stepped(p,",
        "Stepped(p * 1.0e0 + np.zeros(p.shape),",
        "param has dtype float64, expected float32",
    ),
    "extra state": ('{"t"', '{"more": p, "t"', "state has 'more', not one of t, p_previous"),
    "fixed": (
        'rule="heavy_ball"',
        'rule="heavy_ball", fixed={"lr": -1.0}',
        "(heavy_ball): fixed: lr must be >= 0, got -1.0",
    ),
    "flat list": (
        "[[self.step(group.hyper, slot) for slot in group.slots] for group in groups]",
        "[self.step(group.hyper, slot) for group in groups for slot in group.slots]",
        "slots must be a sequence, got Stepped",
    ),
    "generator": (
        "[[self.step(group.hyper, slot) for slot in group.slots] for group in groups]",
        "([self.step(g.hyper, slot) for slot in g.slots] for g in groups)",
        "groups must be a sequence, got generator",
    ),
    "method": (
        "def optimizer_step",
        "def optimiser_step",
        "Backend lacks optimizer_step (kind 'optimizer')",
    ),
    "missing state": (PREVIOUS, "}", "state 'p_previous' is missing from the result"),
    "mistyped name": (
        "class Backend:",
        "class Bakend:",
        "has no attribute 'Backend' (did you mean 'Bakend'?)",
    ),
    "nothing": (
        "        return [[self",
        "        return None and [[self",
        "groups must be a sequence, got NoneType",
    ),
    "rule": ('"heavy_ball"', '"heavy_bal"', "optimizer rule 'heavy_bal' is not one of"),
    "shape": ("Stepped(p,", "Stepped(p.reshape(1, -1),", "param has shape (1, 3), expected (3,)"),
    "syntax": ("class Backend:", "class Backend", "raised SyntaxError: expected ':' ("),
    "tuple": ("return Stepped(p, ", "return p, (", "a result must be a Stepped, got tuple"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_in_one_line(written: Callable[..., str], name: str) -> None:
    """Before a search begins."""
    old, new, says = WRONG[name]
    spec = written(old, new)
    with pytest.raises((BrokenBackend, UnknownBackend, ValueError)) as refused:
        _understood(spec).close()
    assert says in str(refused.value) and "\n" not in str(refused.value)


def test_a_folder_is_no_adapter() -> None:
    """It is told what is."""
    with pytest.raises(UnknownBackend, match="is a folder"):
        Remote(".", 10.0)


def test_the_command_ends_with_status_2(written: Callable[..., str], tmp_path: Path) -> None:
    """And with nothing but the line."""
    spec = written(PREVIOUS, "}")
    command = [sys.executable, "-m", "truestep.reports.cli", "certify", spec, "-n", "1"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.splitlines() == [
        f"truestep: {spec}: optimizer/heavy_ball/float32: "
        "state 'p_previous' is missing from the result (group 0, slot 0)"
    ]


def _run(folder: Path, *arguments: str) -> tuple[int, str, list[str], float]:
    """Exit status, standard output, lines of standard error, and seconds of processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, *arguments]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return run.returncode, run.stdout, run.stderr.splitlines(), seconds


@pytest.mark.power
@pytest.mark.parametrize("name", ["constructor", "dtype", "fixed", "rule", "syntax"])
def test_every_stage_refuses_in_time(
    written: Callable[..., str], tmp_path: Path, name: str
) -> None:
    """Loading, declaring and the first call: one line each, status 2, and little but loading.

    In processor time, against that of a process that loads the judge and ends: two of them load it,
    and the backend's a part.
    """
    old, new, says = WRONG[name]
    certify = ("-m", "truestep.reports.cli", "certify", written(old, new), "-n", "1")
    status, out, lines, seconds = _run(tmp_path, *certify)
    *_, loading = _run(tmp_path, "-c", "import truestep.properties.run.plan")
    assert (status, out, len(lines)) == (2, "", 1)
    assert says in lines[0]
    assert seconds < 4 * loading


# What of a wrapped class is wrong, and what the line says of it.
WRONG_CLASSES = {
    "argument": ("torch.optim:Adam(nope=3)", "Adam: its constructor takes no nope"),
    "class": ("torch.nn:Linear", "Linear'> is no torch.optim.Optimizer"),
    "module": ("no_such_package:Adam", "no module named 'no_such_package'"),
    "name": ("torch.optim:Adamm", "torch.optim has no attribute 'Adamm' (did you mean 'Adam'"),
    "rule": ("torch.optim:Adam@adamm", "no optimizer rule 'adamm' (did you mean 'adam'"),
    "value": ("torch.optim:Adam(lr='x')", "Adam: a step of one matrix raised TypeError"),
}


@pytest.mark.power
@pytest.mark.parametrize("name", WRONG_CLASSES)
def test_a_wrong_class_is_refused_in_time(tmp_path: Path, name: str) -> None:
    """In little more than the processor time of loading torch, in one line, with status 2.

    What no constructor refuses shows in a step, for which torch loads its compiler too.
    """
    pytest.importorskip("torch")
    spec, says = WRONG_CLASSES[name]
    certify = ("-m", "truestep.reports.cli", "certify", f"torch:{spec}")
    status, out, lines, seconds = _run(tmp_path, *certify)
    *_, loading = _run(tmp_path, "-c", f"import torch{'._dynamo' if name == 'argument' else ''}")
    assert (status, out, len(lines)) == (2, "", 1)
    assert says in lines[0]
    assert seconds < 2 * loading


@pytest.mark.parametrize(
    "modules",
    [
        "truestep.reports.known, truestep.reports.run",
        "truestep.properties.run.worker",
        "truestep.fast.host.serve, truestep.fast.locating",
    ],
)
def test_what_refuses_loads_no_rule(tmp_path: Path, modules: str) -> None:
    """Neither the run's process, nor the judge's, nor the backend's, before a spec is located."""
    heavy = ("truestep.reference.optimizers", "hypothesis", "scipy", "torch")
    told = f"import sys, {modules}; print([m for m in {heavy} if m in sys.modules])"
    status, out, lines, _ = _run(tmp_path, "-c", told)
    assert (status, out, lines) == (0, "[]\n", [])


@pytest.fixture
def _no_new_places() -> Iterator[None]:
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.mark.usefixtures("_no_new_places")
def test_a_neighbour_is_imported_and_numpy_scalars_are_arrays_of_no_axes(
    written: Callable[..., str], tmp_path: Path
) -> None:
    """What arithmetic on 0-d arrays gives in NumPy is judged."""
    (tmp_path / "beside_it.py").write_text("from truestep.fast.protocol import Stepped\n")
    imports = "import OptimizerCapability, Stepped"
    spec = written(imports, "import OptimizerCapability\nfrom beside_it import Stepped")
    backend = _understood(spec)
    try:
        [check] = [check for check in checks_of(backend) if check.name == "strata"]
        result = run_check(backend, check, level="standard", seed=0)
        assert result.verdict == "pass", result.message
    finally:
        backend.close()
