"""Finds NVIDIA's files and the host's compiler, and tells one set of them from another."""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from truestep.fast.ours.cache import contents, key
from truestep.fast.protocol import BackendUnavailable


def program(name: str) -> str | None:
    """The path of a program, unless PATH finds it by a relative entry.

    Such an entry means the current folder, which may be anybody's. A name with a folder stays.
    """
    path = shutil.which(name)
    return path if path and (os.path.isabs(path) or os.path.dirname(name)) else None


def nvidia_folders() -> list[Path]:
    """Where NVIDIA's headers and libraries can be: its PyPI packages, then an installed toolkit."""
    found: list[Path] = []
    package = importlib.util.find_spec("nvidia")
    for place in (package.submodule_search_locations or ()) if package else ():
        # CUDA 13 shares one folder; until then every component had its own.
        found += [Path(place) / "cu13", Path(place) / "cuda_runtime", Path(place) / "cuda_nvrtc"]
    found += [Path(os.environ[v]) for v in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(v)]
    if nvcc := program("nvcc"):
        found.append(Path(nvcc).resolve().parents[1])
    found.append(Path("/usr/local/cuda"))
    return [folder for folder in found if folder.is_dir()]


@cache
def nvidia_include() -> Path:
    """The folder of NVIDIA's headers. Raises BackendUnavailable if none has all we need."""
    needed = ("cuda_bf16.h", "vector_types.h", "crt/host_defines.h")
    for include in (folder / "include" for folder in nvidia_folders()):
        if all((include / name).is_file() for name in needed):
            return include
    raise BackendUnavailable(
        "NVIDIA's headers are not installed: pip install nvidia-cuda-runtime nvidia-cuda-crt "
        "nvidia-cuda-cccl"
    )


@cache
def compiler() -> tuple[str, str]:
    """GCC's C++ compiler and its version. Raises BackendUnavailable if there is none."""
    if sys.platform != "linux":
        raise BackendUnavailable(f"cuda_on_cpu runs on Linux, not on {sys.platform}")
    for name in filter(None, (os.environ.get("CXX"), "g++", "c++")):
        if path := program(name):
            version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
            if "Free Software Foundation" in version:
                return path, version.splitlines()[0]
    raise BackendUnavailable("no C++ compiler: none of $CXX, g++ and c++ is GCC")


@cache
def _nvidia_contents(include: Path) -> str:
    """A hash of NVIDIA's headers that cuda_bf16.h and crt/host_defines.h can include."""
    folders = (include, include / "crt", include / "nv", include / "nv" / "detail")
    return key(*(contents(p for p in folder.glob("*") if p.is_file()) for folder in folders))


@cache
def identity() -> str:
    """A hash of what the result depends on besides the sources and the flags."""
    path, version = compiler()
    # What GCC reads of its environment; it decides which headers and libraries are found.
    names = ("COMPILER_PATH", "CPATH", "CPLUS_INCLUDE_PATH", "GCC_EXEC_PREFIX", "LIBRARY_PATH")
    variables = (f"{name}={os.environ.get(name)}" for name in names)
    headers = _nvidia_contents(nvidia_include())
    # Looked up, not imported: the package's public face imports what stands above this module.
    suite = str(sys.modules["truestep"].__version__)
    return key(suite, str(Path(path).resolve()), version, platform.machine(), headers, *variables)
