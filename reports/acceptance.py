"""Acceptance rules that other suites have published: where each stands, and what it accepts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from truestep.fast.protocol import Array
from truestep.reports.trials import Draw, Gradient, Seen, Setting

Accepts = Callable[[Seen, Seen], bool]


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A published rule. source: the repository and the path of the file that it stands in."""

    name: str
    source: str
    settings: Sequence[Setting]
    accepts: Accepts


def close(rtol: float, atol: float, *names: str, share: float = 1.0, most: int = 0) -> Accepts:
    """As allclose does, of what is named, or of all.

    share: of elements that have to be close; most: so many may be astray whatever the share.
    """

    def accepts(got: Seen, due: Seen) -> bool:
        for name in names or due:
            one, two = (np.asarray(x[name], np.float64) for x in (got, due))
            if one.shape != two.shape or not np.array_equal(np.isnan(one), np.isnan(two)):
                return False
            astray = int(np.sum(~np.isclose(one, two, rtol=rtol, atol=atol, equal_nan=True)))
            if astray > max(most, (1 - share) * one.size):
                return False
        return True

    return accepts


def _but_for(most: int, rtol: float, atol: float) -> Accepts:
    """Of the state all has to be close, of the parameters all but so many."""
    return lambda got, due: (
        close(rtol, atol, "p", most=most)(got, due)
        and close(rtol, atol, *(name for name in due if name != "p"))(got, due)
    )


def decibels(x: Array, back: Array) -> float:
    """Signal over noise."""
    noise = np.sum((x - back) ** 2)
    return float(10 * np.log10(np.sum(x * x) / noise)) if noise > 0 else np.inf


def _sqnr(limit: float) -> Accepts:
    return lambda got, _: decibels(got["x"], got["decoded"]) >= limit


def _mean_error(limit: float) -> Accepts:
    return lambda got, _: float(np.mean(np.abs(got["x"] - got["decoded"]))) < limit


def _largest(absolute: float, relative: float) -> Accepts:
    """Largest differences of the parameters, absolute and to the reference."""

    def accepts(got: Seen, due: Seen) -> bool:
        difference = np.abs(due["p"].astype(np.float64) - got["p"])
        return bool(
            np.max(difference) <= absolute and np.max(difference / np.abs(due["p"])) <= relative
        )

    return accepts


def _norm(got: Seen, due: Seen) -> bool:
    one, two = (float(np.linalg.norm(x["p"].astype(np.float64))) for x in (got, due))
    return bool(abs(one - two) <= 1e-2 * one + 1e-7 * two)


def _bits(got: Seen, due: Seen) -> bool:
    return got["p"].tobytes() == due["p"].tobytes()


def _printed(got: Seen, due: Seen) -> bool:
    return all(
        np.array_equal(np.round(got[name], 4), np.round(due[name], 4), equal_nan=True)
        for name in due
    )


def _minimum(got: Seen, due: Seen) -> bool:
    return bool(np.allclose(got["p"], _MINIMUM, rtol=3e-2, atol=3e-2))


def _uniform(low: float, high: float) -> Draw:
    return lambda rng, shape: rng.uniform(low, high, shape)


def _normal(scale: float) -> Draw:
    return lambda rng, shape: scale * rng.standard_normal(shape)


def _of(draw: Draw) -> Gradient:
    return lambda rng, p: draw(rng, p.shape)


def _sparse(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.where(rng.random(shape) < 0.8, 0.0, rng.standard_normal(shape))


_MINIMUM = np.array([1.0, -1.0, 1.0])
_RAND = _uniform(0.0, 1.0)
_ONE_CALL = Setting(param=_RAND, grad=_of(_RAND), before=3)
_NORMAL_CALL = Setting(before=3)
# Shapes of values that MultiKernelBench draws.
_PROFILES = tuple(
    Setting(param=draw, grad=_of(draw), before=3)
    for draw in (
        _RAND, _normal(1.0), _uniform(-1.0, 1.0), _uniform(-1e-3, 1e-3), _uniform(-10.0, 10.0),
        _uniform(0.99, 1.01), _sparse,
    )
)  # fmt: skip
_TORCH: Sequence[Mapping[str, object]] = (
    {},
    {"lr": 0.01},
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "maximize": True},
)
_GOLDEN = np.arange(0.1, 1.05, 0.1)
_ONCE = (Setting(shape=(256, 256)),)

_KERNELBENCH = "ScalingIntelligence/KernelBench src/kernelbench/eval.py"
_MULTI = "wzzll123/MultiKernelBench utils/correctness.py"
_META = "meta-pytorch/tritonbench tritonbench/utils/triton_op.py"
_FLASHINFER = "flashinfer-ai/flashinfer-bench flashinfer_bench/bench"
_AO = "pytorch/ao test/prototype/mx_formats"
_KERAS = "keras-team/keras keras/src/optimizers"
_BITSANDBYTES = "bitsandbytes-foundation/bitsandbytes tests"

OPTIMIZERS = (
    Acceptance(
        "torch: assert_close, 7 steps", "pytorch/pytorch test/test_optim.py",
        [Setting(hyper, (5, 4), _uniform(-0.5, 0.5), steps=7) for hyper in _TORCH],
        close(1.3e-6, 1e-5),
    ),
    Acceptance(
        "bitsandbytes: rtol 1e-5, atol 1e-6, 15 astray", f"{_BITSANDBYTES}/test_optim.py",
        [Setting({}, (1024, 32), _normal(0.1), _of(_normal(0.01)), steps=20)],
        _but_for(15, 1e-5, 1e-6),
    ),
    Acceptance(
        "apex: difference <= 1e-3, relative <= 1",
        "NVIDIA/apex tests/L0/run_optimizers/test_fused_optimizer.py",
        [
            Setting({"lr": 5e-4, "eps": 1e-8, "weight_decay": 0.0}, (278011,), _RAND, _of(_RAND),
                    steps=7),
            Setting({"lr": 0.01, "beta1": 0.6, "beta2": 0.9, "eps": 3e-6, "weight_decay": 0.0},
                    (1,), _RAND, _of(_RAND), steps=7),
        ],
        _largest(1e-3, 1.0),
    ),
    Acceptance(
        "DeepSpeed: norm within 1 %", "deepspeedai/DeepSpeed tests/unit/ops/adam/test_cpu_adam.py",
        [Setting({}, (n,), steps=10, last=True) for n in (64, 22, 128, 1024)], _norm,
    ),
    Acceptance(
        "torchao: rtol = atol = 1e-5, 2 steps", "pytorch/ao test/test_low_bit_optim.py",
        [Setting({}, (1024, 32), _uniform(-0.2, 0.2), steps=2, last=True)],
        close(1e-5, 1e-5, "p"),
    ),
    Acceptance(
        "Keras: rtol = atol = 5e-4, golden", f"{_KERAS}/adamw_test.py",
        [
            Setting({"lr": 1.0, "weight_decay": 0.5, "eps": 2.0}, (10,),
                    lambda rng, shape: np.ones(shape), lambda rng, p: np.resize(_GOLDEN, p.shape),
                    steps=5)
        ],
        close(5e-4, 5e-4, "p"),
    ),
    Acceptance(
        "optax: the minimum within 3e-2", "google-deepmind/optax optax/_src/alias_test.py",
        [
            Setting({"lr": 0.1}, (3,), lambda rng, shape: np.array([-1.0, 10.0, 1.0]),
                    lambda rng, p: 2 * (p - _MINIMUM), steps=10000, last=True)
        ],
        _minimum,
    ),
    Acceptance(
        "Megatron-LM: bits of p, 1000 steps",
        "NVIDIA/Megatron-LM tests/unit_tests/test_optimizer.py",
        [
            Setting({"lr": 1.0, "beta1": 0.1, "beta2": 0.25, "eps": 1e-8, "weight_decay": 0.0},
                    (64,), _RAND, _of(_RAND), steps=1000)
        ],
        _bits,
    ),
    Acceptance(
        "KernelBench: rtol = atol = 1e-4", _KERNELBENCH, [_ONE_CALL], close(1e-4, 1e-4)
    ),
    Acceptance("MultiKernelBench: rtol = atol = 1e-4", _MULTI, _PROFILES, close(1e-4, 1e-4)),
    Acceptance("TritonBench (Meta): assert_close", _META, [_NORMAL_CALL], close(1.3e-6, 1e-5)),
    Acceptance(
        "TritonBench (THUNLP): what is printed", "thunlp/TritonBench EVAL/eval_T/1_exe_acc.py",
        [_NORMAL_CALL], _printed,
    ),
    Acceptance(
        "FlashInfer-Bench: rtol = atol = 1e-2", f"{_FLASHINFER}/config.py",
        [Setting(before=3, trials=3)], close(1e-2, 1e-2),
    ),
)  # fmt: skip

QUANTIZERS = (
    Acceptance(
        "torchao: SQNR >= 6 dB (MXFP4)", f"{_AO}/test_mxfp4_qat.py", _ONCE, _sqnr(6.0)
    ),
    Acceptance("torchao: SQNR >= 14 dB", f"{_AO}/test_mx_tensor.py", _ONCE, _sqnr(14.0)),
    Acceptance(
        "torchao: SQNR >= 20 dB (MXFP8 E4M3)", f"{_AO}/test_mx_tensor.py", _ONCE, _sqnr(20.0)
    ),
    Acceptance(
        "bitsandbytes: mean error < 0.011", f"{_BITSANDBYTES}/test_functional.py", _ONCE,
        _mean_error(0.011),
    ),
    Acceptance(
        "KernelBench: rtol = atol = 1e-4", _KERNELBENCH,
        [Setting(shape=(256, 256), param=_RAND)], close(1e-4, 1e-4, "decoded"),
    ),
    Acceptance(
        "MultiKernelBench: rtol = atol = 1e-2 (float8)", _MULTI,
        [Setting(shape=(64, 256), param=profile.param) for profile in _PROFILES],
        close(1e-2, 1e-2, "decoded"),
    ),
    Acceptance(
        "TritonBench (Meta): assert_close", _META, _ONCE, close(1.3e-6, 1e-5, "decoded")
    ),
    Acceptance(
        "FlashInfer-Bench: 95 % within rtol = atol = 1e-2", f"{_FLASHINFER}/evaluators/lowbit.py",
        [Setting(shape=(256, 256), trials=3)], close(1e-2, 1e-2, "decoded", share=0.95),
    ),
)  # fmt: skip

SCHEDULES = (
    Acceptance(
        "torch: atol 1e-5, 10 epochs", "pytorch/pytorch test/optim/test_lrscheduler.py",
        [Setting({"lr": 0.05}, steps=10)], close(0.0, 1e-5),
    ),
    Acceptance(
        "optax: atol 1e-3", "google-deepmind/optax optax/schedules/_schedule_test.py",
        [Setting(steps=15)], close(1e-7, 1e-3),
    ),
    Acceptance(
        "Keras: 1e-6 at one step", f"{_KERAS}/schedules/learning_rate_schedule_test.py",
        [Setting({"lr": 0.05}, before=5)], close(1e-6, 1e-6),
    ),
)  # fmt: skip

# By kind of rule.
ACCEPTANCES: Mapping[str, Sequence[Acceptance]] = {
    "optimizer": OPTIMIZERS, "quantizer": QUANTIZERS, "schedule": SCHEDULES,
}  # fmt: skip
