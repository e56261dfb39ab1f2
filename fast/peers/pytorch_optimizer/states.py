"""States that pytorch-optimizer keeps in another form than the reference."""

from collections import deque

import numpy as np
import torch

from truestep.fast.peers.torch_like import Bridge, Named, number
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Slot
from truestep.reference.declared import Hyper


def _enter_adam_mini(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    state["dimension"] = torch.tensor(float(slot.param.size))
    state["reduced"] = False


def _enter_qhadam(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    for name in ("beta1", "beta2"):
        beta = getattr(hyper, name)
        state[f"{name}_weight"] = torch.tensor([(1 - beta ** slot.state["t"]) / (1 - beta)])


def _enter_laprop(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    # Averages of the rates so far, which did not change, and of ones.
    t = slot.state["t"]
    state["exp_avg_lr_1"] = hyper.lr * (1 - hyper.beta1**t)
    state["exp_avg_lr_2"] = 1 - hyper.beta2**t


def _enter_adanorm(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    # The library's number has one axis.
    state["exp_grad_norm"] = state["exp_grad_norm"].reshape(1)


def _enter_a2grad(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    # Its sums have one axis, and the last step's weight is kept.
    t = int(slot.state["t"])
    state["alpha_k"] = 2 / (t + 3) if t else 1.0
    for name in ("v_k", "v_kk"):
        state[name] = state[name].reshape(1)


def _enter_adashift(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    # Its queue grows from nothing.
    kept = min(int(slot.state["t"]), hyper.keep_num)
    past = slot.state["past"][hyper.keep_num - kept :]
    state["grad_queue"] = deque([to_tensor(np.array(x)) for x in past], maxlen=hyper.keep_num)


def _leave_adashift(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    past, queue = np.zeros_like(slot.state["past"]), state["grad_queue"]
    past[hyper.keep_num - len(queue) :] = [from_tensor(x) for x in queue]
    return {"past": past}


def _of_odd_and_even_steps(*places: str) -> Bridge:
    """Of two averages that take turns: the library's names of the odd steps' and the even's."""

    def enter(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
        for theirs, ours in zip(places, _averages(int(slot.state["t"])), strict=True):
            state[theirs] = to_tensor(slot.state[ours])

    def leave(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
        ours = _averages(int(group["step"]))
        return {own: from_tensor(state[theirs]) for theirs, own in zip(places, ours, strict=True)}

    return Bridge(enter=enter, leave=leave)


def _averages(t: int) -> tuple[str, str]:
    """The reference's averages after t steps, the last of which stands in the odd place or not."""
    return ("m", "previous") if t % 2 else ("previous", "m")


def _distances(*, counts: bool = False, **names: str) -> Bridge:
    """Of D-Adaptation: our names of a group's sums, and the library's.

    counts: whether steps before the first gradient other than zero are counted; if not, nothing
    reads the count.
    """

    def enter(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
        group["d"] = float(slot.state["d"])
        for ours, theirs in names.items():
            group[theirs] = torch.tensor([float(slot.state[ours])], dtype=torch.float32)

    def leave(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
        sums = {"d": "d", **names}
        left = {ours: number(group[theirs], slot.state[ours]) for ours, theirs in sums.items()}
        return left if counts else {**left, "t": slot.state["t"] + 1}

    return Bridge(enter=enter, leave=leave)


_PRODUCTS = _distances(r="numerator_weighted")


def _enter_dadapt_sgd(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    _PRODUCTS.enter(hyper, slot, group, state)
    state["z"] = torch.empty_like(state["s"])
    group["g0_norm"] = float(slot.state["G"])
    # It measures its first gradient at step 0.
    group["step"] = int(slot.state["t"]) if group["g0_norm"] else 0


def _leave_dadapt_sgd(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    left = _PRODUCTS.leave(hyper, slot, group, state)
    return {**left, "G": number(group["g0_norm"], slot.state["G"])}


def _enter_prodigy(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    d0, d = np.float32(hyper.d0), slot.state["d"]
    # A stored d0 is d0: the library asks whether the estimate still is its first value.
    group["d"] = float(hyper.d0 if d == d0 else d)
    group["d_max"] = float(slot.state["d_max"])
    # The library counts from 1.
    group["step"] += 1
    group["d_numerator"] = torch.tensor([float(slot.state["r"])], dtype=torch.float32)


def _leave_prodigy(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    names = {"r": "d_numerator", "d": "d", "d_max": "d_max"}
    numbers = {ours: number(group[theirs], slot.state[ours]) for ours, theirs in names.items()}
    return {**numbers, "t": group["step"] - 1}


def _enter_simplified_ademamix(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    t = slot.state["t"]
    # The sum of the weights of gradients, which it does not read, and of squares.
    state["num_sum"] = (1 - hyper.beta1**t) / (1 - hyper.beta1)
    state["den_sum"] = 1 - hyper.beta2**t


def _enter_sm3(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    mu, shape = slot.state["mu"], slot.param.shape
    if len(shape) < 2:
        state["accumulator_0"] = to_tensor(np.ascontiguousarray(mu).reshape(shape))
        return
    start = 0
    for axis, size in enumerate(shape):
        side = tuple(size if axis == b else 1 for b in range(len(shape)))
        part = np.array(mu[start : start + size]).reshape(side)
        state[f"accumulator_{axis}"] = to_tensor(part)
        start += size


def _leave_sm3(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    sides = [state[f"accumulator_{axis}"] for axis in range(max(1, slot.param.ndim))]
    return {"mu": np.concatenate([from_tensor(side).reshape(-1) for side in sides])}


def _enter_swats(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    state["exp_avg2"] = torch.tensor([float(slot.state["average"])], dtype=torch.float32)
    if slot.state["switched"]:
        group["phase"], group["lr"] = "sgd", float(slot.state["sgd_lr"])


def _leave_swats(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    switched = group["phase"] == "sgd"
    rate = group["lr"] if switched else slot.state["sgd_lr"]
    return {
        "average": number(state["exp_avg2"], slot.state["average"]),
        "sgd_lr": number(rate, slot.state["sgd_lr"]),
        "switched": number(switched, slot.state["switched"]),
    }


A2GRAD = Bridge(enter=_enter_a2grad)
ADAM_MINI = Bridge(enter=_enter_adam_mini)
ADANORM = Bridge(enter=_enter_adanorm)
ADAPNM = _of_odd_and_even_steps("exp_avg", "neg_exp_avg")
ADASHIFT = Bridge(enter=_enter_adashift, leave=_leave_adashift)
DADAPT = _distances(counts=True, r="numerator_weighted")
DADAPT_ADAGRAD = _distances(counts=True, q="sk_sq_weighted", w="sk_l1", G="gsq_weighted")
DADAPT_ADAN = _distances(G="gsq_weighted")
DADAPT_LION = _PRODUCTS
DADAPT_SGD = Bridge(enter=_enter_dadapt_sgd, leave=_leave_dadapt_sgd)
LAPROP = Bridge(enter=_enter_laprop)
PNM = _of_odd_and_even_steps("pos_momentum", "neg_momentum")
PRODIGY = Bridge(enter=_enter_prodigy, leave=_leave_prodigy)
QHADAM = Bridge(enter=_enter_qhadam)
SIMPLIFIED_ADEMAMIX = Bridge(enter=_enter_simplified_ademamix)
SM3 = Bridge(enter=_enter_sm3, leave=_leave_sm3)
SWATS = Bridge(enter=_enter_swats, leave=_leave_swats)
