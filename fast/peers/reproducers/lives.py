"""Lives an optimizer or a scheduler of torch's kind, and prints what is left of it.

    lives.py WHAT CLASS [ARGUMENTS] [shape=3] [format=float32] [other=ARGUMENTS]

ARGUMENTS are those of a Python call. WHAT is one of

copy        load the state of one into another, step that, tell whether the first's is the same
dictionary  take a state dictionary, step, print whether the dictionary is the same
rate        two groups with one tensor for their rate: change that of the first, print the second's
formats     the formats of the state before and after it is loaded
pickle      step, pickle with the parameters, step again
make        construct
saved       save the state dictionary to a file and read it back
joined      step, add a group, step: print the names of both parameters' states
none        step twice, the second time without a gradient
closure     step with a closure, print how often it was called
backward    step with a closure that makes the gradients
loaded      load the state into another, step that
otherwise   load the state into one that was made with OTHER arguments, step both, print both
group       two groups, the first without OTHER and with: print the second's parameter after steps
given       OTHER given to the group, and to the constructor: print the parameter after steps
set         make one with other arguments, and one in whose group they are set: step and print both
added       a group joins after the scheduler was made: print both rates after a step
last_epoch  the rate after three steps, and of one constructed with last_epoch=1 after two
plateau     rates of two groups with one tensor, after one reduction by ten
initial     load the states into an optimizer of half the rate and its scheduler, print both rates
tensor      the rate after three steps, of a number and of a tensor
default     a float64 parameter after two steps, with float64 as torch's default and without
"""

import copy
import importlib
import io
import pickle
import sys
import warnings
from collections.abc import Callable

import torch

warnings.simplefilter("ignore")
what, path, *rest = sys.argv[1:]
OPTIONS = ("shape=", "format=", "other=")
given = dict(x.split("=", 1) for x in rest if x.startswith(OPTIONS))
call = ", ".join(x for x in rest if not x.startswith(OPTIONS))
scope = {"torch": torch, "halves": lambda k: 0.5**k}
keywords = eval(f"dict({call})", scope)
module, _, name = path.rpartition(".")
kind = getattr(importlib.import_module(module), name)
shape = eval(given.get("shape", "3"), scope)
shape = shape if isinstance(shape, tuple) else (shape,)


def parameter() -> torch.Tensor:
    """One with a gradient."""
    p = torch.ones(shape, dtype=getattr(torch, given.get("format", "float32"))).requires_grad_()
    p.grad = torch.full_like(p, 0.5)
    return p


def step(optimizer: torch.optim.Optimizer) -> None:
    """One step, whether it takes a closure or not, in train mode where there is one."""
    p = optimizer.param_groups[0]["params"][0]
    if hasattr(optimizer, "train"):
        optimizer.train()
    optimizer.step(*([lambda: (p * p).sum()] if name == "LBFGS" else []))


def again(optimizer: torch.optim.Optimizer) -> None:
    """One more step by the same gradient, which some take away."""
    p = optimizer.param_groups[0]["params"][0]
    p.grad = torch.full_like(p, 0.5)
    step(optimizer)


def tensors(state: dict[str, object]) -> object:
    """All tensors of a state dictionary, as they are now."""
    return copy.deepcopy(state["state"])


def copied() -> None:
    """Whether a state is its own."""
    one, two = kind([parameter()], **keywords), kind([parameter()], **keywords)
    step(one)
    held = one.state_dict()
    before = tensors(held)
    if what == "copy":
        two.load_state_dict(held)
    again(two if what == "copy" else one)
    print("the same" if str(before) == str(tensors(held)) else "changed")


def rate() -> None:
    """Whether a rate is a group's own."""
    lr = torch.tensor(0.5)
    optimizer = kind([{"params": [parameter()]}, {"params": [parameter()]}], lr=lr, **keywords)
    optimizer.param_groups[0]["lr"].fill_(0.25)
    print(float(optimizer.param_groups[1]["lr"]))


def formats() -> None:
    """What loading makes of the formats."""
    one, two = (kind([parameter()], **keywords) for _ in range(2))
    step(one)
    two.load_state_dict(one.state_dict())
    for optimizer in (one, two):
        state = next(iter(optimizer.state.values()))
        # HeavyBall has one for each view of a parameter.
        state = state.get(0, state)
        print(*(f"{k} {x.dtype}" for k, x in state.items() if isinstance(x, torch.Tensor)))


def pickled() -> None:
    """Whether one goes on."""
    optimizer = kind([parameter()], **keywords)
    step(optimizer)
    other = pickle.loads(pickle.dumps(optimizer))
    again(other)
    print("stepped")


def saved() -> None:
    """Whether a file can be read."""
    optimizer = kind([parameter()], **keywords)
    step(optimizer)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    torch.load(file)
    print("read")


def joined() -> None:
    """What a group that joins has."""
    one, other = parameter(), parameter()
    optimizer = kind([one], **keywords)
    step(optimizer)
    optimizer.add_param_group({"params": [other]})
    step(optimizer)
    for p in (one, other):
        print(*sorted(optimizer.state[p]))


def ungraded() -> None:
    """Whether a step without a gradient is one."""
    optimizer = kind([parameter()], **keywords)
    step(optimizer)
    optimizer.zero_grad()
    step(optimizer)
    print("stepped")


def closure() -> None:
    """Whether a closure is evaluated."""
    calls: list[float] = []

    def evaluated() -> float:
        calls.append(1.0)
        return 1.0

    kind([parameter()], **keywords).step(evaluated)
    print(len(calls))


def backward() -> None:
    """Whether a closure can make gradients."""
    p = parameter()

    def evaluated() -> torch.Tensor:
        loss = (p * p).sum()
        loss.backward()
        return loss

    kind([p], **keywords).step(evaluated)
    print("stepped")


def loaded() -> None:
    """Whether one goes on."""
    one, other = (kind([parameter()], **keywords) for _ in range(2))
    step(one)
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    step(other)
    print("stepped")


def otherwise() -> None:
    """Whether numbers are the group's own."""
    numbers = eval(f"dict({given['other']})", scope)
    one, other = kind([parameter()], **keywords), kind([parameter()], **{**keywords, **numbers})
    if what == "otherwise":
        step(one)
        other.load_state_dict(copy.deepcopy(one.state_dict()))
        other.param_groups[0]["params"][0].data.copy_(one.param_groups[0]["params"][0])
    else:
        one.param_groups[0].update(numbers)
    for optimizer in (one, other):
        step(optimizer)
        print(round(optimizer.param_groups[0]["params"][0].flatten()[0].item(), 6))


def stepped_twice(groups: list[dict[str, object]], numbers: dict[str, object]) -> None:
    """What the last group's parameter comes to."""
    optimizer = kind(groups, **numbers)
    for _ in range(2):
        optimizer.step()
    print(round(optimizer.param_groups[-1]["params"][0].flatten()[0].item(), 6))


def grouped() -> None:
    """Whether a number is of one group alone."""
    numbers = eval(f"dict({given['other']})", scope)
    first: dict[str, object] = {"params": [parameter()]}
    for group in (first, {**first, **numbers}):
        stepped_twice([group, {"params": [parameter()]}], keywords)


def numbered() -> None:
    """Whether a group's number is as good as the constructor's."""
    numbers = eval(f"dict({given['other']})", scope)
    stepped_twice([{"params": [parameter()], **numbers}], keywords)
    stepped_twice([{"params": [parameter()]}], {**keywords, **numbers})


def scheduled(groups: int = 1, lr: float | torch.Tensor = 0.5) -> torch.optim.Optimizer:
    """An optimizer."""
    return torch.optim.SGD([{"params": [parameter()]} for _ in range(groups)], lr=lr, momentum=0.5)


def added() -> None:
    """What a group that joins has."""
    optimizer = scheduled()
    scheduler = kind(optimizer, **keywords)
    optimizer.add_param_group({"params": [parameter()], "lr": 0.5})
    optimizer.step()
    scheduler.step()
    print(*(round(group["lr"], 6) for group in optimizer.param_groups))


def last_epoch() -> None:
    """Where one goes on."""
    optimizer = scheduled()
    scheduler = kind(optimizer, **keywords)
    for k in range(3):
        if k == 1:
            held = copy.deepcopy(optimizer.state_dict())
        optimizer.step()
        scheduler.step()
    other = scheduled()
    other.load_state_dict(held)
    resumed = kind(other, **keywords, last_epoch=1)
    other.step()
    resumed.step()
    print(*(round(x.param_groups[0]["lr"], 6) for x in (optimizer, other)))


def initial() -> None:
    """Whether a scheduler takes its rates from what is loaded."""
    pairs = [
        (optimizer, kind(optimizer, **keywords)) for optimizer in (scheduled(), scheduled(1, 0.25))
    ]
    for new, old in zip(pairs[1], pairs[0], strict=True):
        new.load_state_dict(copy.deepcopy(old.state_dict()))
    for optimizer, scheduler in pairs:
        optimizer.step()
        scheduler.step()
    print(*(round(optimizer.param_groups[0]["lr"], 6) for optimizer, _ in pairs))


def tensor() -> None:
    """Whether a rate may be a tensor."""
    for lr in (0.5, torch.tensor(0.5, dtype=torch.float64)):
        optimizer = scheduled(1, lr)
        scheduler = kind(optimizer, **keywords)
        for _ in range(3):
            optimizer.step()
            scheduler.step()
        print(round(float(optimizer.param_groups[0]["lr"]), 6))


def plateau() -> None:
    """How often one reduces."""
    optimizer = scheduled(2, torch.tensor(1.0))
    scheduler = kind(optimizer, patience=0)
    scheduler.step(1.0)
    scheduler.step(1.0)
    print(*(round(float(group["lr"]), 6) for group in optimizer.param_groups))


def default() -> None:
    """Whether a default matters."""
    for usual in (torch.float32, torch.float64):
        torch.set_default_dtype(usual)
        p = parameter()
        optimizer = kind([p], **keywords)
        step(optimizer)
        again(optimizer)
        print(f"{p.flatten()[0].item():.12f}")
    torch.set_default_dtype(torch.float32)


does: dict[str, Callable[[], object]] = {
    "copy": copied, "dictionary": copied, "rate": rate, "formats": formats, "pickle": pickled,
    "make": lambda: (kind([parameter()], **keywords), print("made")), "added": added,
    "last_epoch": last_epoch, "plateau": plateau, "default": default,
    "saved": saved, "joined": joined, "none": ungraded, "otherwise": otherwise,
    "initial": initial, "tensor": tensor,
    "set": otherwise, "loaded": loaded, "closure": closure,
    "backward": backward, "group": grouped, "given": numbered,
}  # fmt: skip
try:
    with torch.compiler.set_stance("force_eager"):
        does[what]()
except Exception as error:  # whichever it is, it is what the finding tells
    print(type(error).__name__)
