"""Declared arithmetics: how a backend says that its kernel rounds; its contract follows from it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from truestep.fast.protocol import Declared
from truestep.properties.arithmetic.formats import Format, format_named

Summation = Literal["pairwise", "sequential", "float64", "tensor_core"]


# Compared by identity, so that it can key the cache of host constants.
@dataclass(frozen=True, slots=True, eq=False)
class Arithmetic:
    """How a kernel computes.

    compute: format of every element operation. storage: format of each output tensor by its name
    ("p", "m", ...); "" is the default for the names not listed, and compute where that is absent
    too. hyper: format in which the host computes with hyperparameters. counter: format in which
    functions of the step counter are computed. contraction: whether a product and a sum may be
    fused. subnormals: kept, or flushed to zero on input and output. summation: order of reductions;
    leaf is the longest chain that a pairwise sum adds one after another. input_format: format to
    which a tensor core rounds its factors. The ulps_* fields are the accuracy of one operation in
    ulps, 0.5 when rounded correctly. rounding: of stores; "stochastic" may go either way. stages:
    format of named parts of a rule that compute in another than `compute` ("newton_schulz").
    tensors: format of hyperparameters that are kept apart from the others, as tensors that a
    scheduler can write ({"lr": "float32"}).
    """

    name: str
    compute: str = "float32"
    storage: Mapping[str, str] = field(default_factory=dict)
    hyper: str = "float64"
    counter: str = "float64"
    contraction: bool = True
    subnormals: Literal["kept", "flushed"] = "kept"
    summation: Summation = "pairwise"
    leaf: int = 16
    input_format: str = "bfloat16"
    ulps_division: float = 0.5
    ulps_sqrt: float = 0.5
    ulps_power: float = 1.0
    ulps_function: float = 1.0
    rounding: Literal["nearest", "stochastic"] = "nearest"
    stages: Mapping[str, str] = field(default_factory=dict)
    tensors: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        formats = (*self.storage.values(), *self.stages.values(), *self.tensors.values())
        for name in (self.compute, self.hyper, self.counter, *formats):
            format_named(name)
        for field_name in ("ulps_division", "ulps_sqrt", "ulps_power", "ulps_function"):
            value = getattr(self, field_name)
            if not (math.isfinite(value) and value >= 0.5):
                raise ValueError(f"{field_name} must be finite and >= 0.5, got {value!r}")
        if self.leaf < 1:
            raise ValueError(f"leaf must be >= 1, got {self.leaf!r}")

    @property
    def format(self) -> Format:
        """The format of element operations."""
        return format_named(self.compute)

    def hyper_format(self, name: str) -> Format:
        """The format in which the host keeps the named hyperparameter."""
        return format_named(self.tensors.get(name, self.hyper))

    def stored(self, tensor: str) -> Format:
        """The format in which the named output tensor is stored."""
        return format_named(self.storage.get(tensor, self.storage.get("", self.compute)))

    def eta(self, format: Format) -> float:
        """Underflow unit of one operation: the least normal number where subnormals are flushed."""
        return format.least_normal if self.subnormals == "flushed" else format.eta

    def additions(self, n: int) -> int:
        """Roundings that one term of a sum of n terms can meet, in the declared order."""
        if n <= 1:
            return 0
        if self.summation == "sequential":
            return n - 1
        if self.summation == "float64":
            return 1
        return min(n - 1, self.leaf + max(0, math.ceil(math.log2(n / self.leaf))))


# A reader's table of the profiles that backends name. The oracle's own arithmetic is "oracle".
_PROFILES = (
    Arithmetic("bfloat16", compute="bfloat16"),
    # Muon's iteration in bfloat16, accumulated in float32, for parameters in float32.
    Arithmetic(
        "bfloat16_newton_schulz",
        stages={"newton_schulz": "bfloat16"},
        summation="tensor_core",
        input_format="bfloat16",
    ),
    # The same with hyperparameters and functions of the counter in float32.
    Arithmetic(
        "bfloat16_newton_schulz_hyper",
        hyper="float32",
        counter="float32",
        stages={"newton_schulz": "bfloat16"},
        summation="tensor_core",
        input_format="bfloat16",
    ),
    Arithmetic("bfloat16_params", storage={"p": "bfloat16"}),
    Arithmetic("bfloat16_params_float64_sums", storage={"p": "bfloat16"}, summation="float64"),
    Arithmetic("bfloat16_storage", storage={"": "bfloat16"}),
    Arithmetic("capturable_float32", counter="float32"),
    Arithmetic("capturable_float64", compute="float64", counter="float32", ulps_power=2.0),
    # CUDA C++ Programming Guide, "Mathematical Functions": IEEE division, sqrt; powf 4 ulps.
    Arithmetic("cuda_default", ulps_power=4.0, ulps_function=2.0),
    # -use_fast_math: division within 2 ulps, sqrt within 2^-23 relative (1 ulp), flush to zero.
    Arithmetic(
        "cuda_fast_math",
        subnormals="flushed",
        ulps_division=2.0,
        ulps_sqrt=1.0,
        ulps_power=8.0,
        ulps_function=4.0,
    ),
    # The same guide, double precision: pow and cos within 2 ulps.
    Arithmetic("cuda_float64", compute="float64", ulps_power=2.0, ulps_function=2.0),
    Arithmetic("float16", compute="float16"),
    Arithmetic("float16_params", storage={"p": "float16"}),
    Arithmetic("float16_storage", storage={"": "float16"}),
    Arithmetic("float32_hyper", hyper="float32", counter="float32"),
    Arithmetic(
        "float32_hyper_bfloat16_params",
        hyper="float32",
        counter="float32",
        storage={"p": "bfloat16"},
    ),
    Arithmetic(
        "float32_hyper_bfloat16_storage",
        hyper="float32",
        counter="float32",
        storage={"": "bfloat16"},
    ),
    Arithmetic(
        "float32_hyper_float16_storage", hyper="float32", counter="float32", storage={"": "float16"}
    ),
    Arithmetic("ieee_float32"),
    Arithmetic("ieee_float32_strict", contraction=False),
    Arithmetic("ieee_float32_strict_float64_sums", contraction=False, summation="float64"),
    Arithmetic("ieee_float64", compute="float64"),
    Arithmetic("oracle", compute="float64", contraction=False),
    # torch.norm adds n numbers in a fixed number of lanes, each one after another.
    Arithmetic("sequential_bfloat16_params", summation="sequential", storage={"p": "bfloat16"}),
    Arithmetic("sequential_float16_params", summation="sequential", storage={"p": "float16"}),
    Arithmetic("sequential_float32", summation="sequential"),
    Arithmetic(
        "sequential_float32_hyper", hyper="float32", counter="float32", summation="sequential"
    ),
    Arithmetic("sequential_float64", compute="float64", summation="sequential"),
    Arithmetic("tensor_lr", tensors={"lr": "float32"}),
    # An lr and a counter in float32 beside Python's doubles.
    Arithmetic("tensor_lr_counter", counter="float32", tensors={"lr": "float32"}),
    # jax without jit: constants are Python's, functions of a counter float32; XLA flushes.
    Arithmetic("xla_eager_float32", counter="float32", subnormals="flushed"),
    # XLA runs its threads with subnormals flushed; scalars of a traced function are float32 too.
    Arithmetic("xla_float32", hyper="float32", counter="float32", subnormals="flushed"),
    # As xla_eager_float32, where 1 / sqrt is XLA's rsqrt: one Newton step, within two ulps.
    Arithmetic("xla_rsqrt_float32", counter="float32", subnormals="flushed", ulps_sqrt=2.0),
    Arithmetic(
        "xla_sequential_float32", counter="float32", subnormals="flushed", summation="sequential"
    ),
)
PROFILES = {arithmetic.name: arithmetic for arithmetic in _PROFILES}


# The reference's own arithmetic, whose error is added to every contract.
ORACLE = PROFILES["oracle"]


def arithmetic_of(declared: str | Declared | tuple[str, ...]) -> Arithmetic:
    """The arithmetic that a capability declares, by profile name or as an object.

    Of several names, among which none has been chosen yet, the first, which is the strictest.
    """
    if isinstance(declared, tuple):
        declared = declared[0]
    if isinstance(declared, Arithmetic):
        return declared
    if declared not in PROFILES:
        raise ValueError(f"unknown arithmetic {declared!r}; known: {', '.join(PROFILES)}")
    return PROFILES[declared]
