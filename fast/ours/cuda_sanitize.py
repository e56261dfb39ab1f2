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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from truestep.fast.ours import cache, cuda_adapter, cuda_build, cuda_toolchain, offered
from truestep.fast.ours.cuda_on_cpu import ORDERS, Buffer, Device, Library, Schedule, build
from truestep.fast.protocol import Array, Group, Slot, numpy_dtype
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import adamw
from truestep.reference.quantizers import bfloat16, dynamic_8bit

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

    @property
    def resident_blocks(self) -> int:
        """As the device it stands before."""
        return self.device.resident_blocks

    def upload(self, array: Array) -> Buffer:
        """A copy of the array; in an int64 array, addresses of earlier buffers stay that."""
        buffer = self.device.upload(array)
        addresses = []
        if array.dtype == np.int64:
            for at, value in enumerate(np.ravel(array)):
                for number, other in enumerate(self.buffers):
                    if other.address <= value <= other.address + other.view.nbytes:
                        addresses.append((8 * at, number, int(value) - other.address))
                        break
        content = buffer.view.tobytes()
        head = struct.pack("<cIQ", b"U", buffer.address % 16, len(content))
        tail = b"".join(struct.pack("<QIQ", *address) for address in addresses)
        self.events.append(head + content + struct.pack("<I", len(addresses)) + tail)
        self.buffers.append(buffer)
        return buffer

    def download(self, buffer: Buffer) -> Array:
        """What the buffer now holds."""
        return self.device.download(buffer)

    def launch(
        self, kernel: str, grid: int, block: int, arguments: Sequence[Buffer | np.generic]
    ) -> None:
        """Run the kernel and note it."""
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
        self.device.launch(kernel, grid, block, arguments)

    def adamw_constants(self, h: Hyper, t: int) -> list[float]:
        """As the device."""
        return self.device.adamw_constants(h, t)


def sanitize(
    sanitizer: str,
    use: Callable[[Recorder], None],
    source_dir: Path | None = None,
    defines: Sequence[str] = (),
    files: Sequence[Path] = (),
    schedule: Schedule | None = None,
) -> Report:
    """Run ``use`` on a recording device, then its launches under the sanitizer.

    source_dir, defines, files: as in cuda_on_cpu.build.
    """
    chosen = cuda_build.sources(source_dir, files)
    library: Library = build(source_dir, defines=defines, files=files)
    recorder = Recorder(Device(library, Schedule() if schedule is None else schedule))
    use(recorder)
    main = cuda_build.source_root() / "cuda_on_cpu" / "replay.cpp"
    program = cuda_build.host_library(chosen, sanitizer, defines, main)
    with cache.opened().scratch() as folder:
        recording = folder / "launches"
        recording.write_bytes(b"".join(recorder.events) + b"E")
        command = [str(program), str(recording)]
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


def use_every_kernel(device: Recorder) -> None:
    """Each shipped kernel on lists with empties, tails, several chunks and misaligned views."""
    rng = np.random.default_rng(0)
    sizes = (0, 1, 257, 4099)

    def values(n: int, dtype: str = "float32") -> Array:
        # One element in, so that vectors of four are not aligned.
        x = rng.standard_normal(n + 1).astype(numpy_dtype(dtype))
        return x[1:] if n == sizes[-2] else x[:n]

    for capability in offered.CAPABILITIES:
        h = adamw.Hyper(decay="before")
        if capability.rule == "adamw" and not capability.variant:
            slots = [
                Slot(
                    values(n, capability.format),
                    values(n, capability.format),
                    {"t": n, "m": values(n), "v": np.abs(values(n))},
                )
                for n in sizes
            ]
            cuda_adapter.optimizer_step(device, capability, [Group(h, slots)])
        for block_size in (64, 256, 512) if capability.variant == "8bit" else ():
            storage = {
                name: dynamic_8bit.Hyper(signed=name == "m", block_size=block_size)
                for name in ("m", "v")
            }
            slots = [
                Slot(values(n), values(n), _coded_state(storage, n)) for n in (*sizes, 4096 * 4)
            ]
            cuda_adapter.optimizer_step(device, capability, [Group(h, slots, storage)])
        if capability.rule == "bfloat16":
            stored = cuda_adapter.encode(device, capability, bfloat16.Hyper(), values(sizes[-1]))
            cuda_adapter.decode(device, capability, bfloat16.Hyper(), stored)
        for block_size in (128, 2048) if capability.rule == "dynamic_8bit" else ():
            hq = dynamic_8bit.Hyper(block_size=block_size)
            stored = cuda_adapter.encode(device, capability, hq, values(4096 * 4 + 5))
            cuda_adapter.decode(device, capability, hq, stored)


def _coded_state(storage: Mapping[str, dynamic_8bit.Hyper], n: int) -> dict[str, Array | int]:
    state: dict[str, Array | int] = {"t": 0}
    for name, how in storage.items():
        code, absmax = dynamic_8bit.encode(how, np.zeros(n))
        state |= {f"{name}_code": code, f"{name}_absmax": absmax.astype(np.float32)}
    return state


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
