"""Compiles the CUDA sources for GPUs with NVIDIA's run-time compiler; needs no GPU.

``python -m truestep.fast.ours.nvrtc`` checks that all kernels compile for every architecture.
"""

import ctypes
import sys
from pathlib import Path

from truestep.fast.ours import cuda_build, cuda_toolchain
from truestep.fast.ours.cuda_schedules import schedule_unit
from truestep.fast.ours.cuda_units import offered_units
from truestep.fast.ours.schedule_kernels import schedules
from truestep.fast.protocol import BackendUnavailable

# The oldest that CUDA 13 compiles for, and the generations since.
ARCHITECTURES = ("sm_75", "sm_80", "sm_90", "sm_100", "sm_120")


def nvrtc_library() -> ctypes.CDLL:
    """NVRTC, from its PyPI package or a toolkit. Raises BackendUnavailable if there is none."""
    for folder in cuda_toolchain.nvidia_folders():
        for path in sorted(folder.glob("lib*/libnvrtc.so.1[0-9]")):
            # NVRTC looks for this one by its bare name; once loaded it is found.
            for part in sorted(path.parent.glob("libnvrtc-builtins.so.*.[0-9]")):
                ctypes.CDLL(str(part), mode=ctypes.RTLD_GLOBAL)
            return ctypes.CDLL(str(path))
    raise BackendUnavailable("NVRTC is not installed: pip install nvidia-cuda-nvrtc")


def options(unit: cuda_build.Unit, root: Path) -> list[str]:
    """What every compilation for a GPU is given; the architecture comes on top."""
    # Each operation of the sources is one rounding, on the GPU as on the CPU.
    folders = [root, *([unit.beside] if unit.beside else [])]
    return ["--fmad=false", *(f"-I{folder}" for folder in folders)]


def compiled(unit: cuda_build.Unit, architecture: str, root: Path | None = None) -> bytes:
    """A unit as NVRTC compiles it: to PTX for "compute_90", to a cubin for "sm_90".

    root: a folder with the layout of csrc. Raises CompilationError with NVRTC's log.
    """
    root = cuda_build.source_root() if root is None else root
    nvrtc = nvrtc_library()
    program = ctypes.c_void_p()
    given = [o.encode() for o in (f"--gpu-architecture={architecture}", *options(unit, root))]
    array = (ctypes.c_char_p * len(given))(*given)
    status = nvrtc.nvrtcCreateProgram(
        ctypes.byref(program), unit.text.encode(), f"{unit.stem}.cu".encode(), 0, None, None
    )
    if status != 0:
        raise cuda_build.CompilationError(f"{unit.stem}: NVRTC could not start: error {status}")
    try:
        if nvrtc.nvrtcCompileProgram(program, len(given), array) != 0:
            log = _output(nvrtc, "ProgramLog", program).decode()
            raise cuda_build.CompilationError(f"{unit.stem}.cu for {architecture}:\n{log.strip()}")
        return _output(nvrtc, "CUBIN" if architecture.startswith("sm_") else "PTX", program)
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _output(nvrtc: ctypes.CDLL, what: str, program: ctypes.c_void_p) -> bytes:
    size = ctypes.c_size_t()
    nvrtc[f"nvrtcGet{what}Size"](program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    nvrtc[f"nvrtcGet{what}"](program, text)
    return text.raw if what == "CUBIN" else text.raw.rstrip(b"\0")


def main() -> int:
    """Compile all kernels for every architecture and print the sizes of the results."""
    for unit in (*offered_units(), *map(schedule_unit, schedules())):
        sizes = [f"{a} {len(compiled(unit, a))}" for a in ARCHITECTURES]
        print(f"{unit.stem}: bytes of cubin for {', '.join(sizes)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
