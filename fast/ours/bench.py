"""How fast the C++ kernels are, as ratios to the memory traffic alone and to installed libraries.

Everything is measured in one process, in rounds that visit each contender in turn: a ratio is
formed within a round, and the median over the rounds is reported. Absolute times depend on what
else the machine does; the ratios depend on it much less.

Every contender steps tensors of its own, with the same numbers and the library's default of
threads, and its state is what its earlier steps left. The single tensors are larger than caches.
The memory traffic alone goes through the arrays in the fastest order that we know, a short run of
one after another, as our steps do: through all of them at once it can take a quarter longer.
"""

import gc
import importlib
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from truestep.fast import _core
from truestep.fast.locating import near
from truestep.fast.ours import offered, storages
from truestep.fast.ours.cpu_plans import Plan
from truestep.fast.ours.rule_kernels import RuleKernel, kernel_for, rule_kernels
from truestep.fast.protocol import Array
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS

BLOCK_SIZE = 256


@dataclass(frozen=True, slots=True)
class Peer:
    """Another library's optimizer: module, class, and what its constructor is told."""

    name: str
    module: str
    cls: str
    options: Mapping[str, Any] = field(default_factory=dict)


def _torch(cls: str, **options: Any) -> Peer:
    how = next((name for name in ("fused", "foreach") if options.get(name)), "single")
    return Peer(f"torch {how}", "torch.optim", cls, options)


def _listed(cls: str, **options: Any) -> Peer:
    return Peer("pytorch-optimizer", "pytorch_optimizer", cls, {"foreach": True, **options})


# The fastest implementations of each rule that install on a CPU: torch's fused or foreach kernels,
# or another library's lists of tensors.
PEERS: Mapping[str, tuple[Peer, ...]] = {
    "accsgd": (_listed("AccSGD"),),
    "adabelief": (_listed("AdaBelief"),),
    "adabound": (_listed("AdaBound"),),
    "adadelta": (_torch("Adadelta", foreach=True),),
    "adagrad": (_torch("Adagrad", fused=True),),
    "adai": (_listed("Adai"),),
    "adam": (_torch("Adam", fused=True),),
    "adamax": (_torch("Adamax", foreach=True),),
    "adamod": (_listed("AdaMod"),),
    "adamw": (_torch("AdamW", fused=True),),
    "adan": (_listed("Adan"),),
    "adanorm": (_listed("AdaNorm"),),
    "adapnm": (_listed("AdaPNM"),),
    "adasmooth": (_listed("AdaSmooth"),),
    "ademamix": (_listed("AdEMAMix"),),
    "adopt": (_listed("ADOPT"),),
    "aggmo": (_listed("AggMo"),),
    "amsgrad": (_torch("Adam", fused=True, amsgrad=True),),
    "asgd": (_torch("ASGD", foreach=True),),
    "cautious_lion": (_listed("Lion", cautious=True),),
    "dadapt_adagrad": (_listed("DAdaptAdaGrad"),),
    "dadapt_adam": (_listed("DAdaptAdam", weight_decouple=True),),
    "dadapt_adan": (_listed("DAdaptAdan"),),
    "dadapt_lion": (_listed("DAdaptLion", weight_decouple=True),),
    "dadapt_sgd": (_listed("DAdaptSGD"),),
    "diffgrad": (_listed("DiffGrad"),),
    "exadam": (_listed("EXAdam"),),
    "fromage": (_listed("Fromage"),),
    "ftrl": (_listed("FTRL"),),
    "grams": (_listed("Grams"),),
    "grokfast_adamw": (_listed("GrokFastAdamW"),),
    "kate": (_listed("Kate"),),
    "lamb": (_listed("Lamb"),),
    "laprop": (_listed("LaProp"),),
    "lars": (_listed("LARS"),),
    "lion": (Peer("lion-pytorch", "lion_pytorch", "Lion"), _listed("Lion")),
    "madgrad": (_listed("MADGRAD"),),
    "mars": (_listed("MARS", optimize_1d=True),),
    "nadam": (_torch("NAdam", foreach=True),),
    "nesterov": (_torch("SGD", fused=True, momentum=0.9, nesterov=True),),
    "novograd": (_listed("NovoGrad"),),
    "padam": (_listed("PAdam"),),
    "pid": (_listed("PID", momentum=0.9),),
    "pnm": (_listed("PNM"),),
    "prodigy": (Peer("prodigyopt", "prodigyopt", "Prodigy"), _listed("Prodigy")),
    "qhadam": (_listed("QHAdam"),),
    "qhm": (_listed("QHM", momentum=0.9),),
    "radam": (_torch("RAdam", foreach=True),),
    "rmsprop": (_torch("RMSprop", foreach=True),),
    "rprop": (_torch("Rprop", foreach=True),),
    "schedule_free_adamw": (
        Peer("schedulefree", "schedulefree", "AdamWScheduleFree", {"foreach": True}),
    ),
    "schedule_free_sgd": (
        Peer("schedulefree", "schedulefree", "SGDScheduleFree", {"foreach": True}),
    ),
    "sgd": (_torch("SGD", fused=True, momentum=0.9),),
    "signsgd": (_listed("SignSGD", momentum=0.0),),
    "signum": (_listed("SignSGD"),),
    "simplified_ademamix": (_listed("SimplifiedAdEMAMix"),),
    "spam": (_listed("SPAM"),),
    "stable_adamw": (
        _listed("StableAdamW"),
        Peer("torch-optimi", "optimi", "StableAdamW", {"foreach": True}),
    ),
    "swats": (_listed("SWATS"),),
    "yogi": (_listed("Yogi"),),
}
PEERS_8BIT: Mapping[str, tuple[Peer, ...]] = {
    "adamw": (
        Peer("bitsandbytes", "bitsandbytes.optim", "AdamW8bit"),
        Peer("torchao", "torchao.optim", "AdamW8bit"),
    ),
    "lion": (Peer("bitsandbytes", "bitsandbytes.optim", "Lion8bit"),),
    "sgd": (Peer("bitsandbytes", "bitsandbytes.optim", "SGD8bit", {"momentum": 0.9}),),
}
# What a rule is timed with where its defaults leave a state out.
TIMED: Mapping[str, Mapping[str, Any]] = {"sgd": {"momentum": 0.9}, "adamw": {"decay": "before"}}


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: how many times as long as our step the other takes, median over rounds.

    low and high: the least and the greatest ratio of a round. ours_ms, other_ms: medians over the
    rounds of a round's fastest call, in milliseconds. bytes: what a step must read and write.
    """

    name: str
    against: str
    median_ratio: float
    low: float
    high: float
    ours_ms: float
    other_ms: float
    bytes: int
    rule: str = ""
    elements: int = 0


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A contender that could not be measured, with the reason."""

    name: str
    against: str
    reason: str
    rule: str = ""
    elements: int = 0


Contender = Callable[[], object]
# Bytes that a step must move for each parameter: of a rule, with 8-bit states where it is coded.
Roofline = Callable[[str, Hyper, bool], float]


def normals(sizes: list[int], seed: int) -> list[NDArray[np.float32]]:
    """Float32 tensors of normal numbers."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(size, dtype=np.float32) for size in sizes]


def timed(rule: str) -> tuple[RuleKernel, Hyper]:
    """The kernel of a rule that is timed, and the hyperparameters."""
    hyper = OPTIMIZERS[rule].Hyper(**TIMED.get(rule, {}))
    return kernel_for(rule, hyper), hyper


def plan_of(kernel: RuleKernel, sizes: list[int], coded: bool) -> Plan:
    """Tensors of normal numbers for a kernel; coded: its states as 8-bit codes of zeros."""
    state: dict[str, list[Array]] = {}
    kept = {}
    behaviour = OPTIMIZERS[kernel.rule].State.BEHAVIOUR
    for seed, name in enumerate((*kernel.inputs, *kernel.states), 2):
        nonnegative = name in kernel.states and behaviour[name].nonnegative
        if coded and name in kernel.states:
            how = storages.dynamic_8bit_kept(not nonnegative, BLOCK_SIZE)
            kept[name] = how
            state[f"{name}_code"] = [np.zeros(n, how.code) for n in sizes]
            state[f"{name}_{how.scale}"] = [np.zeros(how.blocks(n), np.float32) for n in sizes]
        else:
            state[name] = [abs(x) if nonnegative else x for x in normals(sizes, seed)]
    numbers = {name: [1.0] * len(sizes) for name in kernel.numbers}
    params, grads = normals(sizes, 0), normals(sizes, 1)
    return Plan(kernel.rule, params, grads, state, kept=kept, numbers=numbers)


def contenders(
    rule: str, sizes: list[int], coded: bool = False
) -> Iterator[tuple[str, Callable[[], Contender]]]:
    """Our step, its memory traffic, and other libraries'; each builds its own tensors."""
    kernel, hyper = timed(rule)

    def ours() -> Contender:
        plan, calls = plan_of(kernel, sizes, coded), itertools.count(1)
        return lambda: plan.step(hyper, next(calls))

    def traffic() -> Contender:
        plan = plan_of(kernel, sizes, coded)
        return lambda: plan.stream(hyper)

    yield "ours", ours
    yield "memory traffic alone", traffic
    for peer in (PEERS_8BIT if coded else PEERS).get(rule, ()):
        yield peer.name, partial(torch_step, peer, sizes)


def torch_step(peer: Peer, sizes: list[int]) -> Contender:
    """The step of a torch.optim.Optimizer over parameters that hold their gradients."""
    torch = importlib.import_module("torch")
    params = [torch.from_numpy(x).requires_grad_() for x in normals(sizes, 0)]
    for param, grad in zip(params, normals(sizes, 1), strict=True):
        param.grad = torch.from_numpy(grad)
    make = getattr(importlib.import_module(peer.module), peer.cls)
    optimizer = make(params, lr=1e-3, **peer.options)
    # Schedule-free ones ask to be told that they train.
    getattr(optimizer, "train", lambda: None)()
    step: Contender = optimizer.step
    return step


def fastest(contender: Contender, calls: int) -> float:
    """Seconds of the fastest of some calls, after one that wakes threads and fills caches."""
    contender()
    best = float("inf")
    for _ in range(calls):
        start = time.perf_counter()
        contender()
        best = min(best, time.perf_counter() - start)
    return best


def compared(
    name: str,
    contenders: Iterator[tuple[str, Callable[[], Contender]]],
    bytes: int,
    rounds: int,
    calls: int,
) -> Iterator[Row | NotMeasured]:
    """Rows of the others against the first, which is ours."""
    built: dict[str, Contender] = {}
    for other, build in contenders:
        try:
            built[other] = build()
            built[other]()
        except Exception as error:
            # Another library's failure is a line of the table, whatever it raises.
            built.pop(other, None)
            reason = str(error).strip().splitlines() or [""]
            yield NotMeasured(name, other, f"{type(error).__name__}: {reason[0]}")
    seconds: dict[str, list[float]] = {other: [] for other in built}
    for _ in range(rounds):
        for other, contender in built.items():
            seconds[other].append(fastest(contender, calls))
    median = statistics.median
    own = seconds.pop("ours")
    for other, theirs in seconds.items():
        ratios = [b / a for a, b in zip(own, theirs, strict=True)]
        least, most, usual = min(ratios), max(ratios), median(ratios)
        yield Row(name, other, usual, least, most, 1e3 * median(own), 1e3 * median(theirs), bytes)


# Elements of one tensor, from what fits the first-level cache to far beyond the last.
SWEPT = (10**3, 10**4, 10**5, 10**6, 10**7, 10**8)


def timed_rules(only: Sequence[str] = ()) -> list[str]:
    """The rules that have kernels, or these of them. Raises ValueError for one that has none."""
    known = sorted({kernel.rule for kernel in rule_kernels()})
    if strange := [rule for rule in only if rule not in known]:
        raise ValueError(
            f"no kernel of {strange[0]!r}{near(strange[0], known)}; there are {', '.join(known)}"
        )
    return list(only) or known


def rows(
    roofline: Roofline, rounds: int = 9, only: Sequence[str] = ()
) -> Iterator[Row | NotMeasured]:
    """Every comparison of these rules, or of all, once it is measured."""
    large, many = [2**24], [1000] * 1000
    rules = timed_rules(only)
    coded = [rule for rule in rules if offered.coded_states(timed(rule)[0])]
    for rule in rules:
        yield from measured(roofline, rule, "2^24", large, rounds, calls=3)
    for rule in [rule for rule in rules if rule in PEERS]:
        yield from measured(roofline, rule, "1000 x 1000", many, rounds, calls=10)
    for rule in coded:
        yield from measured(roofline, rule, "8bit 2^24", large, rounds, calls=3, coded=True)


def swept(
    roofline: Roofline, rounds: int = 9, only: Sequence[str] = ()
) -> Iterator[Row | NotMeasured]:
    """The same of one tensor from 10^3 to 10^8 elements."""
    for rule in timed_rules(only):
        for size in SWEPT:
            calls = max(3, min(200, 10**7 // size))
            yield from measured(roofline, rule, f"{size}", [size], rounds, calls=calls)


def measured(
    roofline: Roofline,
    rule: str,
    how: str,
    sizes: list[int],
    rounds: int,
    *,
    calls: int,
    coded: bool = False,
    peers: bool = True,
) -> Iterator[Row | NotMeasured]:
    """A rule's kernel on tensors of these sizes, against its traffic and, if wanted, libraries."""
    # What earlier comparisons held is given back before tensors of a gigabyte are made.
    gc.collect()
    traffic = round(sum(sizes) * roofline(rule, timed(rule)[1], coded))
    found = contenders(rule, sizes, coded)
    if not peers:
        found = itertools.islice(found, 2)
    for row in compared(f"{rule} {how}", found, traffic, rounds, calls):
        yield replace(row, rule=rule, elements=sum(sizes))


def environment() -> Mapping[str, str]:
    """What the numbers depend on."""
    return {"instruction_set": _core.instruction_set(), "numpy": np.__version__}
