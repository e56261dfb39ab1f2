"""Departures of torch's Adafactor, ASGD and SparseAdam on the CPU, each with its reproducer."""

from __future__ import annotations

from truestep.fast.peers.finding import Finding

_TORCH = "2.13.0 (CPU)"

_COUNTER = """\
import torch
p = torch.ones(1)
optimizer = torch.optim.{optimizer}([p])
p.grad = torch.ones(1)
optimizer.step()
optimizer.state[p]["step"].fill_(2**24)
optimizer.step()
print(int(optimizer.state[p]["step"].item()) - 2**24)
"""

_NAN_IS_DROPPED = """\
import torch
p = torch.tensor([1.0, float("nan")])
optimizer = torch.optim.Adafactor([p], lr=1.0)
p.grad = torch.ones(2)
optimizer.step()
print(p.tolist())
"""

_EMPTY = """\
import torch
p = torch.zeros(0)
optimizer = torch.optim.Adafactor([p])
p.grad = torch.zeros(0)
try:
    optimizer.step()
    print("stepped")
except ZeroDivisionError as error:
    print(type(error).__name__)
"""

_SMALL_EPS = """\
import torch
p = torch.ones(1)
optimizer = torch.optim.Adafactor([p], eps=(1e-30, 1e-3))
p.grad = torch.zeros(1)
optimizer.step()
print(p.item())
"""

_ETA = """\
import torch
p = torch.zeros(1, dtype=torch.float64)
optimizer = torch.optim.ASGD([p], lr=0.1, lambd=0.0)
p.grad = torch.ones_like(p)
optimizer.step()
print(abs(p.item() + 0.1) < 1e-15)
"""

_TWICE_THE_OFFSET = """\
import torch
storage = torch.zeros(16)
p = storage[4:5]
p.grad = torch.sparse_coo_tensor([[0]], [1.0], (1,), check_invariants=True)
torch.optim.SparseAdam([p], lr=1.0).step()
print([i for i, x in enumerate(storage.tolist()) if x])
"""

_CANCELLING = """\
from fractions import Fraction
import torch
p = torch.zeros(1, dtype=torch.float64, requires_grad=True)
optimizer = torch.optim.SparseAdam([p], betas=(0.3, 0.999))
g = torch.zeros(1, dtype=torch.float64)
p.grad = torch.sparse_coo_tensor([[0]], g, (1,), check_invariants=True)
optimizer.step()
m = float.fromhex("-0x1.a9292effb19bap-6")
optimizer.state[p]["exp_avg"].fill_(m)
optimizer.step()
due = Fraction(0.3) * Fraction(m)
error = abs(Fraction(optimizer.state[p]["exp_avg"].item()) - due)
print(error <= 2 * abs(due) / 2**53)
"""


def _counter(rule: str, optimizer: str) -> Finding:
    return Finding(
        library="torch",
        versions=_TORCH,
        rule=rule,
        title=f"{optimizer}'s counter stands still from step 2^24 on",
        contradicts="t is the number of steps made",
        reproducer=_COUNTER.format(optimizer=optimizer),
        expected="1",
        actual="0",
        check_glob=f"optimizer/{rule}/*/*/counter*",
    )


TORCH_MORE_FINDINGS: tuple[Finding, ...] = (
    _counter("adafactor", "Adafactor"),
    Finding(
        library="torch",
        versions=_TORCH,
        rule="adafactor",
        title="A nan in a parameter or an update leaves its root mean square at the floor",
        contradicts="alpha_t = max(eps2, RMS(p)) rho_t is nan where an element of p is",
        # torch/optim/_adafactor.py: Python's max(eps2, nan) is eps2, and max(1.0, nan) is 1.0.
        reproducer=_NAN_IS_DROPPED,
        expected="[nan, nan]",
        actual="[0.9990000128746033, nan]",
        # Where numbers of float16 overflow within a few steps, too.
        check_glob="optimizer/adafactor/*/*/[efls]* optimizer/adafactor/float16/*/combinations",
    ),
    Finding(
        library="torch",
        versions=_TORCH,
        rule="adafactor",
        title="An empty parameter raises ZeroDivisionError",
        contradicts="every other optimizer of torch steps a list that holds an empty tensor",
        reproducer=_EMPTY,
        expected="stepped",
        actual="ZeroDivisionError",
        check_glob="",
    ),
    Finding(
        library="torch",
        versions=_TORCH,
        rule="adafactor",
        title="The paper's eps1 of 1e-30 turns a parameter with zero gradient into nan",
        contradicts="U_t = G_t / max(sqrt(V_t), eps1)",
        # The floor is eps1 squared under the root, 1e-60, which float32 does not have.
        reproducer=_SMALL_EPS,
        expected="1.0",
        actual="nan",
        check_glob="",
    ),
    Finding(
        library="torch",
        versions=_TORCH,
        rule="adam",
        title="SparseAdam writes beyond a parameter of one element at an offset in its storage",
        contradicts="a step changes the parameter and nothing else",
        # Adding a sparse tensor of one element to a view of one element at offset n writes at 2 n,
        # without a check: beyond the end of the storage it corrupts the heap.
        reproducer=_TWICE_THE_OFFSET,
        expected="[4]",
        actual="[8]",
        check_glob="",
    ),
    Finding(
        library="torch",
        versions=_TORCH,
        rule="adam",
        title="SparseAdam's average cancels for beta1 < 0.5, where lerp changes its formula",
        contradicts="m_t = beta1 m_{t-1} + (1 - beta1) g_t; with g = 0, one product",
        # optim/_functional.py: m + (1 - beta1) (g - m), whose terms exceed m_t by far.
        reproducer=_CANCELLING,
        expected="True",
        actual="False",
        check_glob="optimizer/adam/*/sparse/lockstep",
    ),
    _counter("asgd", "ASGD"),
    Finding(
        library="torch",
        versions=_TORCH,
        rule="asgd",
        title="The rate of float64 parameters is a float32 tensor",
        contradicts="p_t = p_{t-1} (1 - lambd eta_t) - eta_t g_t in float64",
        reproducer=_ETA,
        expected="True",
        actual="False",
        check_glob="optimizer/asgd/float64/*",
    ),
)
