"""The CUDA sources that instantiate kernels on demand: a rule with its storages, or a codec.

The templates of csrc/cuda know no rule and no storage. A unit is the text that names one of each,
compiled by NVRTC for a GPU and by g++ for the host when it is first launched.
"""

import re
from collections.abc import Mapping, Sequence

from truestep.fast.ours import offered
from truestep.fast.ours.cuda_build import Unit
from truestep.fast.ours.rule_kernels import RuleKernel, rule_kernels
from truestep.fast.protocol import Capability, OptimizerCapability
from truestep.reference.optimizers import OPTIMIZERS

_LAUNCHED = 'extern "C" __global__ void __launch_bounds__(kThreads)'


# What csrc/cuda has a storage for, by the quantizer's name.
STORAGES = ("bfloat16", "dynamic_8bit")


def capabilities() -> list[Capability]:
    """Of what is offered, that of which csrc/cuda has the storages."""
    return [capability for capability in offered.capabilities() if _is_stored(capability)]


def _is_stored(capability: Capability) -> bool:
    if isinstance(capability, OptimizerCapability):
        kept = (how.quantizer for how in capability.storage.values())
        return all(name in ("float32", *STORAGES) for name in (capability.format, *kept))
    return capability.rule in STORAGES and not capability.dialect


def step_unit(kernel: RuleKernel, storages: Sequence[str]) -> Unit:
    """The kernels of a rule. storages: the names of its operands': parameters, inputs, states."""
    given = {**kernel.dialect, **{name: f"{value:g}" for name, value in kernel.fixed.items()}}
    conditions = (word for condition in given.items() for word in condition)
    stem = re.sub(r"\W", "_", "_".join([kernel.rule, *conditions, *storages]))
    parts = [_CONSTANTS, _STEP]
    if kernel.finishes:
        parts = [_CONSTANTS, _BEGIN, *([_SUMS] if kernel.sums else []), _FINISH, _STEP]
    types = ", ".join(["Rule", *map(type_of, storages)])
    return Unit(
        stem,
        f"""\
{_includes(storages)}
#include "cuda/step.h"
#include "rules/{kernel.rule}.h"

namespace truestep::rules::{kernel.rule} {{
using Rule = {kernel.type};
}}
using namespace truestep::cuda;
using truestep::rules::{kernel.rule}::Rule;
using Steps = Stepping<{types}>;
using Row = Steps::Row;
{"".join(parts).replace("NAME", stem)}""",
    )


def codec_unit(storage: str) -> Unit:
    """The kernels that encode float32 numbers as a storage has them, and decode them."""
    return Unit(
        storage,
        f"""\
{_includes([storage])}
#include "cuda/codec.h"

using namespace truestep::cuda;
using Codes = Coding<{type_of(storage)}>;
using Row = Codes::Row;
{(_ENCODE + _DECODE).replace("NAME", storage)}""",
    )


def offered_units() -> list[Unit]:
    """Those of every kernel, and of all that the capabilities name."""
    units = [step_unit(kernel, _storages_of(kernel)) for kernel in rule_kernels()]
    for capability in capabilities():
        if not isinstance(capability, OptimizerCapability):
            units.append(codec_unit(capability.rule))
            continue
        for kernel in rule_kernels():
            if (kernel.rule, kernel.dialect) == (capability.rule, capability.dialect):
                kept = {name: how.quantizer for name, how in capability.storage.items()}
                units.append(step_unit(kernel, _storages_of(kernel, capability.format, kept)))
    return list(dict.fromkeys(units))


def _storages_of(
    kernel: RuleKernel, format: str = "float32", kept: Mapping[str, str] = {}
) -> list[str]:
    travels = OPTIMIZERS[kernel.rule].FACTS.inputs
    inputs = [format if name in travels else "float32" for name in kernel.inputs]
    return [format, *inputs, *(kept.get(name, "float32") for name in kernel.states)]


def type_of(storage: str) -> str:
    """The storage's name in C++."""
    return "".join(word.capitalize() for word in storage.split("_"))


def _includes(storages: Sequence[str]) -> str:
    return "\n".join(f'#include "cuda/{name}.h"' for name in sorted(set(storages)))


_CONSTANTS = """
extern "C" __global__ void NAME_constants_kernel(const Steps::Hyper* hyper, double* steps, i64 rows,
                                                 Steps::Constants* constants) {
  Steps::constants(hyper, steps, rows, constants);
}
"""
_BEGIN = """
extern "C" __global__ void NAME_begin_kernel(const Row* tensors, i64 count,
                                             const Steps::Hyper* hyper, const double* steps,
                                             const Steps::Constants* constants,
                                             const double* numbers, Steps::Constants* own) {
  Steps::begin(tensors, count, hyper, steps, constants, numbers, own);
}
"""
_SUMS = f"""
{_LAUNCHED}
    NAME_sums_kernel(const Row* tensors, const Chunk* chunks, i64 count, const Kept* kept,
                     const Steps::Constants* own, double* partials) {{
  Steps::sums(tensors, chunks, count, kept, own, partials);
}}
"""
_FINISH = f"""
{_LAUNCHED}
    NAME_finish_kernel(const Row* tensors, const Steps::Hyper* hyper, const double* steps,
                       const double* partials, double* numbers, Steps::Constants* own) {{
  Steps::finish(tensors, hyper, steps, partials, numbers, own);
}}
"""
_STEP = f"""
{_LAUNCHED}
    NAME_step_kernel(const Row* tensors, const Chunk* chunks, i64 count, const Kept* kept,
                     const Steps::Constants* constants) {{
  Steps::step(tensors, chunks, count, kept, constants);
}}
"""
_ENCODE = f"""
{_LAUNCHED}
    NAME_encode_kernel(const Row* tensors, const Chunk* chunks, i64 count, const Kept* kept) {{
  Codes::encode(tensors, chunks, count, kept);
}}
"""
_DECODE = f"""
{_LAUNCHED}
    NAME_decode_kernel(const Row* tensors, const Chunk* chunks, i64 count, const Kept* kept) {{
  Codes::decode(tensors, chunks, count, kept);
}}
"""
