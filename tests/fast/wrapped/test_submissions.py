"""Submissions are read: what they are given, what they give back, and what cannot be understood."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from truestep.fast import discovery
from truestep.fast.discovery import BrokenBackend, UnknownBackend
from truestep.fast.protocol import BackendUnavailable
from truestep.fast.wrapped.submissions.asked import asked, parsed
from truestep.properties.run import plan
from truestep.reports.cli import run_command

pytest.importorskip("torch", reason="submissions are torch programs")

# In the form of MultiKernelBench: numbers at construction, state that is not given back.
MODEL = """
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, beta1=0.9, beta2=0.999, lr=1e-3, eps=1e-8, step=1):
        super().__init__()
        self.beta1, self.beta2, self.lr, self.eps, self.step = beta1, beta2, lr, eps, step

    def forward(self, {0}, {1}, {2}, {3}):
        first = self.beta1 * {2} + (1 - self.beta1) * {1}
        second = self.beta2 * {3} + (1 - self.beta2) * {1}.pow(2)
        root = (second / (1 - self.beta2**self.step)).sqrt() + self.eps
        return {0} - self.lr * (first / (1 - self.beta1**self.step)) / root


def get_inputs():
    return [torch.rand(8, 4), torch.rand(8, 4), torch.zeros(8, 4), torch.zeros(8, 4)]


def get_init_inputs():
    return []
"""


def _lockstep(spec: str) -> tuple[str, str]:
    """How a submission is understood, and whether its steps are right."""
    backend = discovery.load(spec)
    [check] = plan.chosen(spec, plan.checks_of(backend), "*/lockstep")
    result = plan.run_check(backend, check, level="smoke", seed=3, told=False)
    return backend.declaration, result.verdict  # type: ignore[attr-defined]


def test_a_module_without_state_in_its_outputs(tmp_path: Path) -> None:
    """What the task does not give back is not judged, and that is told."""
    (tmp_path / "adam.py").write_text(MODEL.format("param", "grad", "m", "v"))
    told, verdict = _lockstep(f"submission:{tmp_path / 'adam.py'}@adam")
    assert "p is param, g is grad, steps made + 1 is step" in told
    assert "m, v not given back, so not judged" in told
    assert verdict == "pass"


def test_a_task_without_some_of_the_state(tmp_path: Path) -> None:
    """State that is as it was, at the numbers that the task holds, need not be there."""
    text = (
        "import torch\n\n\nclass Model(torch.nn.Module):\n"
        "    def __init__(self, lr=1e-3, alpha=0.99, eps=1e-8):\n        super().__init__()\n"
        "        self.lr, self.alpha, self.eps = lr, alpha, eps\n\n"
        "    def forward(self, param, grad, v):\n"
        "        v = self.alpha * v + (1 - self.alpha) * grad.pow(2)\n"
        "        return param - self.lr * grad / (v.sqrt() + self.eps), v\n"
    )
    (tmp_path / "rmsprop.py").write_text(text)
    told, verdict = _lockstep(f"submission:{tmp_path / 'rmsprop.py'}@rmsprop")
    assert "mean, b left as it is" in told
    assert verdict == "pass"


def test_names_that_do_not_tell(tmp_path: Path) -> None:
    """The task's own step tells by its values which input is what."""
    (tmp_path / "adam.py").write_text(MODEL.format("x3", "x1", "x0", "x2"))
    told, verdict = _lockstep(f"submission:{tmp_path / 'adam.py'}@adam")
    assert "p is x3, g is x1, m is x0, v is x2" in told
    assert verdict == "pass"


def test_nothing_tells(tmp_path: Path) -> None:
    """Where neither names nor values do, a line says so."""
    text = MODEL.format("x3", "x1", "x0", "x2").replace("return x3", "return x0")
    (tmp_path / "adam.py").write_text(text)
    with pytest.raises(BrokenBackend, match="nothing tells which of its inputs x3, x1, x0, x2 are"):
        discovery.load(f"submission:{tmp_path / 'adam.py'}@adam")


def test_the_task_beside_a_module(tmp_path: Path) -> None:
    """ModelNew alone is held to what Model in the file beside it takes and gives back."""
    text = MODEL.format("param", "grad", "m", "v")
    (tmp_path / "task.py").write_text(text)
    (tmp_path / "new.py").write_text(text.replace("class Model(", "class ModelNew("))
    told, verdict = _lockstep(f"submission:{tmp_path / 'new.py'}@adam")
    assert "m, v not given back" in told
    assert verdict == "pass"


def test_in_place(tmp_path: Path) -> None:
    """A GPU MODE submission of a tuple, without reference: what it does not return, it writes."""
    (tmp_path / "submission.py").write_text(
        "from task import input_t, output_t\n\n\n"
        "def custom_kernel(data: input_t) -> output_t:\n"
        "    weight, grad, momentum_buffer, lr, momentum = data\n"
        "    momentum_buffer.mul_(momentum).add_(grad)\n"
        "    weight.sub_(momentum_buffer, alpha=lr)\n"
    )
    told, verdict = _lockstep(f"submission:{tmp_path}@sgd,momentum=0.9")
    assert "p is weight, g is grad" in told
    assert verdict == "pass"


def test_buffers(tmp_path: Path) -> None:
    """Tensors that are only written are named as what they hold; numbers may be tensors."""
    (tmp_path / "reference.py").write_text(
        "import torch\n\n\n"
        "def generate_input(size, seed):\n"
        "    x = [torch.rand(size) for _ in range(3)]\n"
        "    return (*x, torch.empty(size), torch.empty(size), torch.tensor(0.1), 0.9, 0.99)\n\n\n"
        "def ref_kernel(data):\n"
        "    w, grads, exp_avg, w_out, exp_avg_out, lr, beta1, beta2 = data\n"
        "    w_out[...] = w - lr * torch.sign(beta1 * exp_avg + (1 - beta1) * grads)\n"
        "    exp_avg_out[...] = beta2 * exp_avg + (1 - beta2) * grads\n"
        "    return w_out, exp_avg_out\n"
    )
    (tmp_path / "task.yml").write_text('tests:\n  - {"size": 64, "seed": 1}\n')
    text = (tmp_path / "reference.py").read_text().replace("ref_kernel", "custom_kernel")
    (tmp_path / "submission.py").write_text(text)
    told, verdict = _lockstep(f"submission:{tmp_path}@lion,nan_sign=zero")
    assert "p is w, g is grads, m is exp_avg" in told
    assert "maximize = False, weight_decay = 0.0" in told
    assert verdict == "pass"
    (tmp_path / "submission.py").write_text(text.replace("exp_avg_out[", "exp_avg["))
    assert _lockstep(f"submission:{tmp_path}@lion,nan_sign=zero")[1] == "fail"


def test_outputs_that_are_passed(tmp_path: Path) -> None:
    """A FlashInfer solution writes its outputs; one that it leaves out holds nan, and fails."""
    tensor = {"shape": ["n"], "dtype": "float32"}
    lines = "param - lr * torch.sign(grad)"
    head = "import torch\n\ndef run(param, grad, lr, new_param):\n"
    definition = {
        "name": "sign_step",
        "op_type": "optimizer",
        "axes": {"n": {"type": "var"}},
        "inputs": {"param": tensor, "grad": tensor, "lr": {"shape": None, "dtype": "float32"}},
        "outputs": {"new_param": tensor},
        "reference": f"import torch\n\ndef run(param, grad, lr):\n    return {lines}\n",
    }
    (tmp_path / "definitions" / "optimizer").mkdir(parents=True)
    (tmp_path / "definitions" / "optimizer" / "sign_step.json").write_text(json.dumps(definition))
    (tmp_path / "solutions").mkdir()
    for body, due in ((f"new_param.copy_({lines})", "pass"), ("pass", "fail")):
        solution = {
            "name": "mine",
            "definition": "sign_step",
            "author": "me",
            "spec": {"language": "python", "target_hardware": ["cpu"], "entry_point": "a.py::run"},
            "sources": [{"path": "a.py", "content": f"{head}    {body}\n"}],
        }
        path = tmp_path / "solutions" / "mine.json"
        path.write_text(json.dumps(solution))
        assert _lockstep(f"submission:{path}@signsgd,nan_sign=zero")[1] == due


def test_compiled_languages_are_not_run(tmp_path: Path) -> None:
    """They need a build that is not made here."""
    spec = {"language": "cuda", "entry_point": "a.cu::run"}
    (tmp_path / "a.json").write_text(json.dumps({"spec": spec, "sources": [], "definition": "x"}))
    with pytest.raises(BackendUnavailable, match="sources in 'cuda' are not built"):
        discovery.load(f"submission:{tmp_path / 'a.json'}@adam")


def test_what_is_asked_for_survives_its_text() -> None:
    """The text in a backend's spec says all of it."""
    wanted = asked("adamw", ["decay=before", "lr=0.001", "maximize=false"], "ieee_float32")
    assert parsed(wanted.text) == wanted


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("missing.py", None, "no such file or folder"),
        ("plain.py", "x = 1\n", "no submission; a KernelBench module has a class ModelNew"),
        ("broken.py", "def custom_kernel(:\n", "line 1: invalid syntax"),
        ("broken.json", "{", "not JSON"),
        ("other.json", "[]", "no submission"),
        ("other.txt", "", "no submission"),
    ],
)
def test_what_is_no_submission(
    name: str, text: str | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the path, and status 2, before anything is run."""
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    assert run_command(["referee", str(path), "--as", "adam", "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert str(path) in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--as", "adamv"], "no optimizer rule 'adamv' (did you mean 'adam"),
        (["--as", "adamw", "--set", "decay=late"], "decay=late: of adamw it is one of unscaled, "),
        (["--as", "adamw", "--set", "speed=9"], "speed=9: adamw has no 'speed', but "),
        (["--as", "adamw", "--hyper", "lr=-1"], "lr=-1: "),
        (["--as", "adamw", "--arithmetic", "loose"], "unknown arithmetic 'loose'"),
    ],
)
def test_what_cannot_be_asked_for(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that shows the value, and status 2, before anything is run."""
    (tmp_path / "adam.py").write_text(MODEL.format("param", "grad", "m", "v"))
    assert run_command(["referee", str(tmp_path / "adam.py"), *words]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def custom_kernel(data):\n    p, g, lr = data\n    raise OSError('no GPU')\n", "no GPU"),
        (
            "import nothing_of_the_kind\n\n\ndef custom_kernel(data):\n    p, g = data\n",
            "nothing_of",
        ),
        ("def custom_kernel(data):\n    return data\n", "nothing tells what its data holds"),
    ],
)
def test_what_does_not_run(text: str, told: str, tmp_path: Path) -> None:
    """A line says why, with the submission's path."""
    (tmp_path / "submission.py").write_text(text)
    with pytest.raises(BrokenBackend, match=told) as raised:
        discovery.load(f"submission:{tmp_path}@signsgd")
    assert str(tmp_path) in str(raised.value)


def test_an_empty_folder(tmp_path: Path) -> None:
    """A folder has to hold one submission."""
    with pytest.raises(UnknownBackend, match="no submission is in it"):
        discovery.load(f"submission:{tmp_path}@adam")
