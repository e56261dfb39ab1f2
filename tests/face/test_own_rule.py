"""Rules of one's own by the blocks of docs/own_rule.md: files as they stand there, and commands."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import truestep
from truestep.fast.protocol import OptimizerCapability, ScheduleCapability, Storage
from truestep.properties.kinds.optimizer import kind as optimizers
from truestep.properties.kinds.optimizer.laws import found
from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference import own
from truestep.reference.own import BrokenRule
from truestep.testing import (
    BeyondContract,
    assert_codes,
    assert_reference,
    assert_schedule,
    assert_step,
)

pytestmark = pytest.mark.usefixtures("own_rules")

PAGE = (Path(__file__).parents[2] / "docs" / "own_rule.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
# What a command prints is compared word by word: lines are broken where a terminal ends.
SECTIONS = {
    title: re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    for title, text in re.findall(r"## ([^\n]+)\n(.*?)(?=\n## |\Z)", PAGE, re.DOTALL)
}
COMMANDS = {
    "pytest": [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0"],
    "truestep": [sys.executable, "-m", "truestep.reports.cli"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Every file of the page."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a file of the page."""
    monkeypatch.syspath_prepend(str(folder))

    def imported(name: str) -> Any:
        monkeypatch.delitem(sys.modules, name, raising=False)
        return __import__(name)

    for name in FILES:
        monkeypatch.delitem(sys.modules, name.removesuffix(".py"), raising=False)
    return imported


@pytest.mark.power
@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("title", [title for title, blocks in SECTIONS.items() if blocks])
def test_the_commands_of_the_page_print_what_it_says(title: str, folder: Path) -> None:
    """Section by section, with the status that the verdict has."""
    for command, due in (pair for block in SECTIONS[title] for pair in commands(block)):
        program, *arguments = shlex.split(command)
        done = subprocess.run(
            [*COMMANDS[program], *arguments], cwd=folder, capture_output=True, text=True,
            timeout=300, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        printed = " ".join((done.stdout + done.stderr).split())
        at = 0
        for words in due:
            assert words in printed[at:], f"{command}\n{done.stdout}\n{done.stderr}"
            at = printed.index(words, at)
        wrong = "--out wrong" in command
        refused = "not known here" in printed
        assert done.returncode == (2 if refused else int(wrong)), command


@pytest.fixture
def one_core() -> Iterator[None]:
    """Commands start one worker: each takes longer to start than what it judges here."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


def commands(block: str) -> list[tuple[str, list[str]]]:
    """Each command of a console block, and the lines that it prints among others."""
    found: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line != "...":
            found[-1][1].append(" ".join(line.split()))
    return found


def test_the_page_has_what_its_test_needs() -> None:
    """A block that is no longer found would be a test that runs nothing."""
    assert {"softsign.py", "my_kernels.py", "wrong_kernels.py", "more_kernels.py"} <= FILES.keys()
    assert sum(len(commands(b)) for blocks in SECTIONS.values() for b in blocks) == 10


def test_an_object_is_judged_with_its_rule(page: Any) -> None:
    """The module is declared, its name stands in the certificate, with the file's hash."""
    judged = truestep.certify(page("my_kernels").Backend(), level="smoke", only="combinations")
    assert [check.verdict for check in judged.results] == ["pass"]
    [rule] = judged.certificate["rules"]
    assert (rule["name"], rule["kind"], rule["spec"]) == ("softsign", "optimizer", "softsign.py")
    assert rule["sha256"] == own.OWN["softsign"].sha256


@pytest.mark.parametrize(
    ("module", "backend", "only"),
    [
        ("wrong_kernels", "Undecayed", "strata"),
        ("wrong_kernels", "Smooth", "lockstep"),
        ("more_kernels", "Early", "halves/float32/strata"),
        ("more_kernels", "Early", "hold_then_inverse/float64/strata"),
    ],
)
def test_planted_faults_are_found(page: Any, module: str, backend: str, only: str) -> None:
    """Of the optimizer, the schedule and the format."""
    subject = getattr(page(module), backend)()
    [check] = [check for check in checks_of(subject) if only in check.id]
    assert run_check(subject, check, level="smoke", seed=0, told=False).verdict == "fail"


def test_asserts_take_the_module_or_the_name(page: Any) -> None:
    """Steps, values and codes of rules of one's own, right and wrong."""
    softsign, schedule, halves = map(page, ("softsign", "hold_then_inverse", "halves"))
    x = np.float32([2.0, -1.0])
    before, after = {"p": x, "g": x}, {"p": np.float32([1.99, -0.99])}
    assert_step(softsign, {"lr": 0.01, "eps": 1e-12}, before, after)
    with pytest.raises(BeyondContract, match="softsign"):
        assert_step("softsign", {"lr": 0.02, "eps": 1e-12}, before, after)
    assert_schedule(schedule, {"lr": 1.0, "hold_steps": 2}, [0, 2, 4], [1.0, 1.0, 0.5])
    with pytest.raises(BeyondContract, match="hold_then_inverse"):
        assert_schedule(schedule, {"lr": 1.0, "hold_steps": 2}, [3], [0.5])
    stored = {"code": np.uint8([8, 1]), "scale": np.float32([2.0])}
    assert_codes(halves, {}, x, stored)
    with pytest.raises(BeyondContract, match="halves"):
        assert_codes("halves", {}, x, {**stored, "code": np.uint8([8, 2])})


@pytest.mark.parametrize("name", ["softsign", "hold_then_inverse", "halves"])
def test_the_rules_of_the_page_are_right_themselves(page: Any, name: str) -> None:
    """Text, lines in 60 digits, laws."""
    assert_reference(page(name))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("Shapes\n", "Forms\n", r"must have the headings Rule, Shapes, .*it has Rule, Domain"),
        ("    m = h.beta", "    g *= 2\n    m = h.beta", r"raised .*read-only"),
        ("beta) * g", "beta) * g * (1 + 1e-9 * isinstance(g, np.ndarray))",
         r"off the exact number, beyond"),
        ("np.abs(m) +", "np.tan(m) +", r"numpy\.tan is not supported on"),
        ("FACTS =", 'LAWS = ("linear_in_gradients",)\nFACTS =',
         r"do not pass law:linear_in_gradients"),
        ("FACTS =", 'LAWS = ("odds",)\nFACTS =',
         r"LAWS has 'odds', which is no law; did you mean 'odd'"),
    ],
)  # fmt: skip
def test_a_rule_that_is_wrong_itself_is_told(
    folder: Path, page: Any, old: str, new: str, told: str
) -> None:
    """Where, and what is due."""
    assert FILES["softsign.py"].count(old) == 1
    (folder / "softsign.py").write_text(FILES["softsign.py"].replace(old, new))
    with pytest.raises((AssertionError, BrokenRule), match=told):
        assert_reference(page("softsign"))


def test_laws_are_found_on_its_lines(page: Any) -> None:
    """What holds of them is asked, by dialect; what does not is not."""
    subject = OptimizerCapability(rule=page("softsign"))
    found.find_laws(subject)
    laws = set(found.OWN[found.form(subject)])
    assert {"odd", "equivariant_under_permutation", "state_independent_of_params"} <= laws
    assert not {"linear_in_gradients", "equivariant_under_rotation"} & laws


def test_a_found_law_is_claimed_where_the_definition_obeys(
    page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A law that holds by chance in the tried cases blames no kernel elsewhere."""
    kernel = page("my_kernels").Backend()
    [subject] = kernel.capabilities()
    monkeypatch.setattr(found, "_obeyed", lambda capability, law: law == "linear_in_gradients")
    [check] = [check for check in checks_of(kernel) if "law:" in check.name]
    assert subject.rule in own.OWN and check.name == "law:linear_in_gradients"
    assert run_check(kernel, check, level="standard", seed=0).verdict in ("not_judged", "pass")
    monkeypatch.setattr(optimizers, "claimable", lambda *_: True)
    assert run_check(kernel, check, level="standard", seed=0).verdict == "fail"


LAW = '''
from truestep.properties.laws.claims import Claim


def moves_by_less_than_lr(bench, trial):
    """Without decay no element moves by lr or more."""
    out = bench.step(trial.plain().on(p=trial.p * 0))
    size, lr = abs(out.wide("p")), trial.hyper["lr"]
    yield Claim("p", size, size.clip(max=lr), out.bound["p"])


LAWS = ("odd", moves_by_less_than_lr)
'''


def test_a_law_of_ones_own_is_a_check(folder: Path, page: Any) -> None:
    """Beside those that are named; a kernel that breaks it fails it."""
    text = FILES["softsign.py"].replace("FACTS =", f"{LAW}\nFACTS =")
    (folder / "softsign.py").write_text(text)
    kernel = page("my_kernels").Backend()
    laws = {check.name: check for check in checks_of(kernel) if "law:" in check.name}
    assert laws.keys() == {"law:moves_by_less_than_lr", "law:odd"}
    check = laws["law:moves_by_less_than_lr"]
    assert run_check(kernel, check, level="smoke", seed=0).verdict == "pass"
    kernel.update = lambda h, m, p: np.sign(m) * np.float32(1.5) + 0 * p
    result = run_check(kernel, check, level="smoke", seed=0)
    assert result.verdict == "fail"
    assert "the law: Without decay no element moves by lr or more." in result.message


def test_a_rule_that_nobody_named_is_refused(folder: Path, page: Any) -> None:
    """The judge loads no rule because a backend's process declares it."""
    from truestep.fast.discovery import BrokenBackend, check

    class Declaring:
        name = "declaring"

        def capabilities(self) -> list[ScheduleCapability]:
            return [ScheduleCapability(rule="of_nobody")]

    with pytest.raises(BrokenBackend, match=r"'of_nobody' is not one of.*named by --rules"):
        check(Declaring(), "declaring")


def test_a_failure_can_be_run_again(page: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Its snippet names the file of the rule."""
    subject = page("wrong_kernels").Undecayed()
    [check] = [check for check in checks_of(subject) if check.name == "update_alone"]
    result = run_check(subject, check, level="smoke", seed=0, told=False)
    assert f"rules=[{own.OWN['softsign'].spec!r}]" in result.message
    assert json.loads(json.dumps(result.worst))["case"]


def test_a_format_of_ones_own_keeps_a_state(page: Any) -> None:
    """Of any optimizer: AdamW's first moment in halves, right and truncated."""
    storage = {"m": Storage(page("halves"), {"block_size": 64})}
    for edits, due in (((), "pass"), ((("m_hat = m / (1", "m_hat = 0.99 * m / (1"),), "fail")):
        kernel = Kernel("adamw", edits, storage=storage)
        [check] = [check for check in checks_of(kernel) if check.name == "lockstep"]
        assert run_check(kernel, check, level="smoke", seed=0, told=False).verdict == due


POLAR = """
import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, First, Rate
from truestep.reference.rules import Facts

FACTS = Facts(elementwise=False, matrices=True)
DIALECTS = {}


class Hyper(declared.Hyper):
    lr: Rate = 0.1
    beta: Beta = 0.9


class State(declared.State):
    t: int
    m: First


def init(h, p):
    return State(t=0, m=np.zeros_like(p))


def step(h, s, p, g):
    m = h.beta * s.m + g
    u, _, vt = np.linalg.svd(m, full_matrices=False)
    return State(t=s.t + 1, m=m), p - h.lr * (u @ vt)
"""


def test_where_bounds_are_vacuous_replicates_judge(tmp_path: Path) -> None:
    """Without a word of the rule: right lines pass, a slightly wrong one does not."""
    (tmp_path / "polar_momentum.py").write_text(POLAR)
    own.load(str(tmp_path / "polar_momentum.py"))
    for edits, due in (((), "pass"), ((("* s.m + g", "* s.m + 0.99 * g"),), "fail")):
        kernel = Kernel("polar_momentum", edits, shapes="matrices")
        [check] = [check for check in checks_of(kernel) if check.name == "combinations"]
        result = run_check(kernel, check, level="smoke", seed=0, told=False)
        assert (result.verdict, result.contract) == (due, "sampled")


def test_a_class_is_wrapped_as_a_rule_of_ones_own(page: Any) -> None:
    """As any: its numbers are paired by name, its form is found."""
    f = np.float32

    def step(p: Any, g: Any, state: Any, lr: float = 1e-3, beta: float = 0.9, eps: float = 0.01,
             weight_decay: float = 0.0) -> Any:  # fmt: skip
        m = f(beta) * state.get("m", np.zeros_like(p)) + f(1 - beta) * g
        size = np.sqrt(m * m + f(eps * eps))
        return p - f(lr) * (m / size + f(weight_decay) * p), {"m": m}

    backend = truestep.wrap.callable(step, rule=own.added(page("softsign")))
    assert backend.declaration.startswith("judged as softsign, size root")
