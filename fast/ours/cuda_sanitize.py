"""Runs the CUDA kernels under the host's sanitizers: races, overruns, undefined behaviour, no GPU.

A sanitizer has to be in a program from its start, so the launches are recorded here and replayed
by a program that holds the kernels alone. ThreadSanitizer is told of every fiber and of what CUDA
orders: barriers, __syncwarp, fences, and nothing else. Two accesses to shared or global memory that
only the schedule kept apart are then a race, also when the numbers were right.

``python -m truestep.fast.ours.cuda_sanitize`` checks the shipped kernels.
"""

import os
import struct
import subprocess
import sys
from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

import numpy as np

from truestep.fast.ours import (
    cache,
    cuda_adapter,
    cuda_build,
    cuda_plan,
    cuda_toolchain,
    cuda_units,
)
from truestep.fast.ours.cuda_build import Unit
from truestep.fast.ours.cuda_on_cpu import ORDERS, Buffer, Device, Kernels, Schedule
from truestep.fast.ours.samples import groups, one_of_each_shape, tensor
from truestep.fast.protocol import Array, OptimizerCapability
from truestep.reference.quantizers import QUANTIZERS

SANITIZERS = ("address", "thread", "undefined")

_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:exitcode=66",
    "TSAN_OPTIONS": "exitcode=66:halt_on_error=1:report_thread_leaks=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}
_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Report:
    """What a sanitizer said. clean: every launch ended and nothing was reported."""

    sanitizer: str
    clean: bool
    output: str


@dataclass(slots=True)
class Recorder:
    """A Device that runs its launches and writes them down."""

    device: Device
    events: list[bytes] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    units: dict[Unit, None] = field(default_factory=dict)
    # The start, the size and the number of each buffer, by their starts.
    _spans: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def resident_blocks(self) -> int:
        """As the device it stands before."""
        return self.device.resident_blocks

    def upload(self, array: Array) -> Buffer:
        """A copy of the array; in an int64 array, addresses of earlier buffers stay that."""
        buffer = self.device.upload(array)
        addresses = []
        if array.dtype == np.int64:
            for at, value in enumerate(np.ravel(array).tolist()):
                held = self._holding(value)
                if held is not None:
                    addresses.append((8 * at, *held))
        content = buffer.view.tobytes()
        head = struct.pack("<cIQ", b"U", buffer.address % 16, len(content))
        tail = b"".join(struct.pack("<QIQ", *address) for address in addresses)
        self.events.append(head + content + struct.pack("<I", len(addresses)) + tail)
        insort(self._spans, (buffer.address, len(content), len(self.buffers)))
        self.buffers.append(buffer)
        return buffer

    def _holding(self, address: int) -> tuple[int, int] | None:
        """The number of the buffer that an address points into, and where; its end counts."""
        after = bisect_right(self._spans, address, key=itemgetter(0))
        if not after:
            return None
        start, size, number = self._spans[after - 1]
        return (number, address - start) if address <= start + size else None

    def download(self, buffer: Buffer) -> Array:
        """What the buffer now holds."""
        return self.device.download(buffer)

    def launch(
        self,
        unit: Unit,
        kernel: str,
        grid: int,
        block: int,
        arguments: Sequence[Buffer | np.generic],
    ) -> None:
        """Run the kernel and note it."""
        self.units[unit] = None
        schedule = self.device.schedule
        event = struct.pack("<cI", b"L", len(kernel)) + kernel.encode()
        event += struct.pack("<6I", grid, 1, 1, block, 1, 1)
        event += struct.pack("<qiQ", 0, ORDERS.index(schedule.order), schedule.seed)
        event += struct.pack("<I", len(arguments))
        for argument in arguments:
            if isinstance(argument, np.generic):
                content = argument.tobytes()
                event += struct.pack("<BI", 0, len(content)) + content
            else:
                number = self.buffers.index(argument)
                event += struct.pack("<BI", 1, number)
        self.events.append(event)
        self.device.launch(unit, kernel, grid, block, arguments)


def sanitize(
    sanitizer: str,
    use: Callable[[Recorder], None],
    source_dir: Path | None = None,
    defines: Sequence[str] = (),
    schedule: Schedule | None = None,
) -> Report:
    """Run ``use`` on a recording device, then its launches under the sanitizer.

    source_dir, defines: as in cuda_on_cpu.build.
    """
    kernels = Kernels(source_dir, defines)
    recorder = Recorder(Device(kernels, Schedule() if schedule is None else schedule))
    use(recorder)
    main = cuda_build.source_root() / "cuda_on_cpu" / "replay.cpp"
    units = list(recorder.units)
    with (
        cuda_build.host_library(units, source_dir, sanitizer, defines, main) as program,
        cache.opened().scratch() as folder,
    ):
        recording = folder / "launches"
        recording.write_bytes(b"".join(recorder.events) + b"E")
        command = [str(program.path), str(recording)]
        # GCC's ThreadSanitizer cannot place its shadow where addresses are randomised by more bits
        # than it was built for, as newer kernels do.
        if sanitizer == "thread":
            command = [*_unrandomised(), *command]
        # Another sanitizer that is loaded into this process cannot share a program with this one.
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        done = subprocess.run(
            command,
            env=environment | _OPTIONS,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            errors="replace",
        )
    return Report(sanitizer, done.returncode == 0, done.stdout)


def _unrandomised() -> list[str]:
    """What runs a command without randomised addresses; nothing where that is not permitted."""
    setarch = cuda_toolchain.program("setarch")
    prefix = [setarch, "--addr-no-randomize"] if setarch else []
    permitted = subprocess.run([*prefix, "true"], capture_output=True).returncode == 0
    return prefix if permitted else []


SIZES = (0, 1, 257, 4099)


def use_every_kernel(device: Recorder) -> None:
    """Kernels of every shape on lists with empties, tails, several chunks and misaligned views.

    What a rule computes of one element is left to the certificate.
    """
    rng = np.random.default_rng(0)
    for capability in one_of_each_shape(cuda_units.capabilities()):
        if isinstance(capability, OptimizerCapability):
            sizes = (*SIZES, 4 * cuda_plan.CHUNK) if capability.storage else SIZES
            given = groups(rng, capability, sizes, (512, 64))
            cuda_adapter.optimizer_step(device, capability, given)
            continue
        quantizer = QUANTIZERS[capability.rule]
        for fields in ({"block_size": 128}, {"block_size": 2048}) if quantizer.BLOCKS else ({},):
            h = quantizer.Hyper(**fields)
            x = tensor(rng, 4 * cuda_plan.CHUNK + 5, offset=1)
            stored = cuda_adapter.encode(device, capability, h, x)
            cuda_adapter.decode(device, capability, h, stored)


def main() -> int:
    """Every shipped kernel under every sanitizer; the exit status is 0 if all are clean."""
    worst = 0
    for sanitizer in SANITIZERS:
        report = sanitize(sanitizer, use_every_kernel)
        print(f"CUDA kernels, {sanitizer} sanitizer: {'clean' if report.clean else 'FAILED'}")
        if not report.clean:
            print(report.output)
            worst = 1
    return worst


if __name__ == "__main__":
    sys.exit(main())
