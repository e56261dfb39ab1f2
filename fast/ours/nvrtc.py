"""Compiles the CUDA sources for GPUs with NVIDIA's run-time compiler; needs no GPU.

``python -m truestep.fast.ours.nvrtc`` checks that every shipped source compiles for every
architecture.
"""

import ctypes
import sys
from pathlib import Path

from truestep.fast.ours import cuda_build, cuda_toolchain
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


def options(chosen: cuda_build.Sources) -> list[str]:
    """What every compilation for a GPU is given; the architecture comes on top."""
    return [
        # Each operation of the sources is one rounding, on the GPU as on the CPU.
        "--fmad=false",
        f"-I{chosen.root}",
        # Sources include relative to their own folder, and NVRTC may be given no path of theirs.
        f"-I{chosen.root / 'cuda'}",
    ]


def compiled(path: Path, chosen: cuda_build.Sources, architecture: str) -> bytes:
    """One source as NVRTC compiles it: to PTX for "compute_90", to a cubin for "sm_90".

    Raises CompilationError with NVRTC's log.
    """
    nvrtc = nvrtc_library()
    program = ctypes.c_void_p()
    given = [o.encode() for o in (f"--gpu-architecture={architecture}", *options(chosen))]
    array = (ctypes.c_char_p * len(given))(*given)
    status = nvrtc.nvrtcCreateProgram(
        ctypes.byref(program), path.read_bytes(), str(path).encode(), 0, None, None
    )
    if status != 0:
        raise cuda_build.CompilationError(f"{path}: NVRTC could not start: error {status}")
    try:
        if nvrtc.nvrtcCompileProgram(program, len(given), array) != 0:
            log = _output(nvrtc, "ProgramLog", program).decode()
            raise cuda_build.CompilationError(f"{path} for {architecture}:\n{log.strip()}")
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
    """Compile every shipped source for every architecture and print the sizes of the results."""
    chosen = cuda_build.sources()
    for path in chosen.files:
        sizes = [f"{a} {len(compiled(path, chosen, a))}" for a in ARCHITECTURES]
        print(f"{path.name}: bytes of cubin for {', '.join(sizes)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
