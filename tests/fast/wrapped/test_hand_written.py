"""A hand-written optimizer, given as text in a file, is judged by its spec alone."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")

from truestep.fast import discovery
from truestep.fast.discovery import BrokenBackend, UnknownBackend
from truestep.reports import judging

LION = """\
import torch


class MyLion(torch.optim.Optimizer):
    def __init__(self, params, learning_rate=1e-4, b1=0.9, b2=0.99, wd=0.0):
        super().__init__(params, dict(learning_rate=learning_rate, b1=b1, b2=b2, wd=wd))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["velocity"] = torch.zeros_like(p)
                m = state["velocity"]
                p.mul_(1 - group["learning_rate"] * group["wd"])
                c = m * group["b1"] + p.grad * (1 - group["b1"])
                p.sub_({size} * group["learning_rate"] * torch.sign(c))
                m.mul_(group["b2"]).add_(p.grad, alpha=1 - group["b2"])
"""


def written(folder: Path, size: str = "1") -> str:
    """The file of a Lion whose step is so many times too large."""
    path = folder / "my_optimizers.py"
    path.write_text(LION.replace("{size}", size), encoding="utf-8")
    return str(path)


def test_its_spec_loads_a_backend(tmp_path: Path) -> None:
    """Numbers of other names are paired; how it rounds is left for the judge to find."""
    backend = discovery.load(f"torch:{written(tmp_path)}:MyLion@lion")
    [capability] = backend.capabilities()
    assert (capability.rule, capability.dialect) == ("lion", {"nan_sign": "zero"})
    assert capability.fixed == {"maximize": False}
    assert capability.arithmetic == ("ieee_float32", "capturable_float32", "float32_hyper")
    assert backend.declaration == (  # type: ignore[attr-defined]
        "judged as lion, nan_sign zero; m is velocity; maximize = False"
    )


def test_it_is_certified(tmp_path: Path) -> None:
    """Its steps pass, without a line of adapter; the certificate says what it was judged as."""
    found = judging.certify(
        f"torch:{written(tmp_path)}:MyLion@lion", only="*lockstep*", level="smoke", workers=1
    )
    assert found.passed
    assert found.certificate["backend"]["declaration"] == (
        "judged as lion, nan_sign zero; m is velocity; maximize = False; arithmetic ieee_float32"
    )


def test_a_wrong_one_is_told_how_far_it_is_off(tmp_path: Path) -> None:
    """A step that is a hundredth too large is no form of Lion."""
    with pytest.raises(BrokenBackend, match=r"does not compute lion in any form; .* lion .*off"):
        discovery.load(f"torch:{written(tmp_path, size='1.01')}:MyLion@lion")


def test_what_another_form_explains_stands_in_the_declaration(tmp_path: Path) -> None:
    """A decay that forgets the rate is another form of Lion: it is declared, not passed over."""
    path = Path(written(tmp_path))
    right = 'group["learning_rate"] * group["wd"]'
    text = path.read_text(encoding="utf-8")
    assert right in text
    path.write_text(text.replace(right, 'group["wd"]'), encoding="utf-8")
    backend = discovery.load(f"torch:{path}:MyLion@lion")
    assert "decay unscaled" in backend.declaration  # type: ignore[attr-defined]


def test_a_wrong_name_is_told(tmp_path: Path) -> None:
    """As for backends, with what is near."""
    with pytest.raises(UnknownBackend, match="did you mean 'MyLion'"):
        discovery.load(f"torch:{written(tmp_path)}:MyLoin@lion")


# A step with the Muon of the 2024 speedruns inside, in bfloat16, which errs by a tenth.
MUON = """\
import torch


def orthogonalized(g):
    x = g.bfloat16()
    tall = g.size(0) > g.size(1)
    x = x.mT if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.mT if tall else x


class OneDeviceMuon(torch.optim.Optimizer):
    def __init__(self, params, lr=0.02, weight_decay=0.0, momentum=0.95):
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, momentum=momentum))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(p)
                m = state["momentum_buffer"].lerp_(p.grad, 1 - group["momentum"])
                update = orthogonalized(p.grad.lerp(m, group["momentum"]))
                update *= max(1, p.size(0) / p.size(1)) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-group["lr"])
"""
SOPHIA = """\
import torch


class MySophia(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-4, rho=0.04):
        super().__init__(params, dict(lr=lr, rho=rho))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(torch.clamp(p.grad / group["rho"], -1, 1).tanh(), alpha=group["lr"])
"""


def test_an_iteration_in_bfloat16_is_found(tmp_path: Path) -> None:
    """Though it is off by a tenth of a step, no other form of Muon is nearer."""
    (tmp_path / "speedrun.py").write_text(MUON, encoding="utf-8")
    backend = discovery.load(f"torch:{tmp_path / 'speedrun.py'}:OneDeviceMuon@muon")
    [capability] = backend.capabilities()
    assert capability.dialect == {"momentum_form": "ema", "scale": "tall"}
    assert capability.fixed["ns_steps"] == 5
    assert capability.fixed["nesterov"] is True


def test_a_name_of_a_rule_that_takes_more_is_told(tmp_path: Path) -> None:
    """What is called Sophia needs an adapter, if it is."""
    (tmp_path / "mine.py").write_text(SOPHIA, encoding="utf-8")
    with pytest.raises(BrokenBackend, match="if it is sophia, which takes estimate too, it needs"):
        discovery.load(f"torch:{tmp_path / 'mine.py'}:MySophia")


LATE = """\
import torch


class LateSGD(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, momentum=0.0):
        super().__init__(params, dict(lr=lr, momentum=momentum))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["momentum_buffer"], state["step"] = torch.zeros_like(p), 0
                state["step"] += 1
                late = 2 if state["step"] > 20 else 1
                m = state["momentum_buffer"].mul_(group["momentum"]).add_(p.grad, alpha=late)
                p.sub_(m, alpha=group["lr"])
"""


def test_what_is_called_like_a_rule_is_judged_by_it(tmp_path: Path) -> None:
    """Though it is another from some step on: no lesser rule, as plain descent, is taken."""
    (tmp_path / "late.py").write_text(LATE, encoding="utf-8")
    backend = discovery.load(f"torch:{tmp_path / 'late.py'}:LateSGD")
    [capability] = backend.capabilities()
    assert capability.rule == "sgd"
    assert backend.declaration.startswith("judged as sgd; b is momentum_buffer")  # type: ignore[attr-defined]
