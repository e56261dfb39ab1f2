"""Finds the CUDA sources and NVIDIA's files, and compiles the sources for the host.

Results are cached by a hash of all that went in, in $TRUESTEP_CACHE, else in the user's cache
folder, so that a source tree or a changed copy of one is compiled only once.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from truestep.fast.protocol import BackendUnavailable

SANITIZERS = {"": (), "address": ("-fsanitize=address",), "thread": ("-fsanitize=thread",)}

# The folders whose headers kernels may include.
FOLDERS = ("cuda", "cuda_on_cpu", "formats", "rules")

# The parts of cuda_on_cpu that kernels are linked with.
RUNTIME = ("block", "checks", "launch", "runtime")

# What the runtime reports itself, with the kernel, block and thread, at little cost.
CHECKS = "-fsanitize=alignment,bounds,integer-divide-by-zero,null,shift,signed-integer-overflow"

_KERNEL = re.compile(
    r'extern\s+"C"\s+__global__\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?void\s+'
    r"(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\("
)
_DYNAMIC_SHARED = re.compile(r"extern\s+__shared__\s+[^;\[\]]*?(\w+)\s*\[\s*\]\s*;")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
# What a block can opt in to on compute capability 9.0, the most of the supported architectures
# (227 KiB), and the bytes that the runtime watches behind it.
_DYNAMIC_SHARED_CAPACITY = 227 * 1024 + 256


@dataclass(frozen=True, slots=True)
class Sources:
    """CUDA sources: the .cu files to compile, and the root of rules/ and formats/."""

    root: Path
    files: tuple[Path, ...]

    def kernels(self) -> dict[str, Path]:
        """The name of every kernel, with the file that holds it."""
        return {name: path for path in self.files for name in _KERNEL.findall(_code(path))}


def sources(root: Path | None = None, files: Iterable[Path] = ()) -> Sources:
    """The shipped sources, or those of a tree of the same layout, or files that include from it."""
    root = source_root() if root is None else Path(root).resolve()
    chosen = tuple(Path(path).resolve() for path in files) or tuple(sorted(root.glob("cuda/*.cu")))
    if not chosen:
        raise BackendUnavailable(f"no CUDA sources in {root / 'cuda'}")
    return Sources(root, chosen)


def source_root() -> Path:
    """The folder of the shipped sources: beside fast/ in a wheel as in a checkout."""
    return Path(__file__).resolve().parents[2] / "csrc"


def _code(path: Path) -> str:
    return _COMMENT.sub("", path.read_text(encoding="utf-8"))


def nvidia_folders() -> list[Path]:
    """Where NVIDIA's headers and libraries can be: its PyPI packages, then an installed toolkit."""
    found: list[Path] = []
    package = importlib.util.find_spec("nvidia")
    for place in (package.submodule_search_locations or ()) if package else ():
        # CUDA 13 shares one folder; until then every component had its own.
        found += [Path(place) / "cu13", Path(place) / "cuda_runtime", Path(place) / "cuda_nvrtc"]
    found += [Path(os.environ[v]) for v in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(v)]
    if nvcc := shutil.which("nvcc"):
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
        if path := shutil.which(name):
            version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
            if "Free Software Foundation" in version:
                return path, version.splitlines()[0]
    raise BackendUnavailable("no C++ compiler: none of $CXX, g++ and c++ is GCC")


def cache_folder() -> Path:
    """The folder of compiled libraries. Raises BackendUnavailable if it cannot be made."""
    chosen = os.environ.get("TRUESTEP_CACHE")
    base = os.environ.get("XDG_CACHE_HOME")
    folder = Path(chosen) if chosen else Path(base or Path.home() / ".cache") / "truestep"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BackendUnavailable(f"{error}; $TRUESTEP_CACHE names another folder") from error
    return folder


class CompilationError(RuntimeError):
    """A compiler rejected the sources; the message is its own."""


def _hash(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:24]


def _contents(paths: Iterable[Path]) -> bytes:
    return b"\0".join(path.name.encode() + b"\0" + path.read_bytes() for path in sorted(paths))


def _produce(target: Path, command: Sequence[str]) -> Path:
    if target.exists():
        return target
    import fcntl  # here, because the rest of this module serves systems without it too

    with target.with_suffix(".lock").open("w") as lock:
        # Of several processes that want the same, one compiles; the others find the result.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            return target
        # Renamed when complete, so that a compilation that is broken off leaves nothing.
        partial = target.with_name(f"{target.stem}.partial{target.suffix}")
        done = subprocess.run([*command, "-o", str(partial)], capture_output=True, text=True)
        if done.returncode != 0:
            partial.unlink(missing_ok=True)
            raise CompilationError(f"{' '.join(command)}\n{done.stderr.strip()}")
        partial.replace(target)
    return target


@dataclass(frozen=True, slots=True)
class _Compiler:
    """g++ with the options of one build, and the cache of its objects."""

    sources: Sources
    sanitizer: str
    defines: tuple[str, ...]

    def flags(self) -> list[str]:
        """What every unit is compiled with."""
        # No variable of a thread is initialised at run time, so access need not ask whether it is.
        flags = ["-std=c++17", "-O2", "-g1", "-fPIC", "-fvisibility=hidden", "-fno-extern-tls-init"]
        flags += ["-pthread", "-Wall", "-Wextra"]
        # Contraction off makes one operation one rounding, as -fmad=false does for NVRTC.
        flags += ["-ffp-contract=off", "-fno-strict-aliasing"]
        return flags + ([f"-DTRUESTEP_{self.sanitizer[0].upper()}SAN"] if self.sanitizer else [])

    def kernel_flags(self) -> list[str]:
        """What kernels are compiled with: the checks and the sanitizer on top."""
        flags = [*self.flags(), "-Wno-unknown-pragmas", "-Wno-tsan", CHECKS]
        return [*flags, *SANITIZERS[self.sanitizer], *(f"-D{name}" for name in self.defines)]

    def unit(self, unit: Path, flags: Sequence[str], *depends: bytes) -> Path:
        """The object of one unit. The key holds what it depends on, not where that lies."""
        path, version = compiler()
        include = nvidia_include()
        key = _hash(version, str(include), *flags, unit.read_bytes(), *depends)
        places = ["-isystem", str(include), "-I", str(self.sources.root)]
        target = cache_folder() / f"{unit.stem}-{key}.o"
        return _produce(target, [path, *flags, *places, "-c", str(unit)])


def host_library(
    chosen: Sources, sanitizer: str = "", defines: Sequence[str] = (), main: Path | None = None
) -> Path:
    """Compiles sources for the host, with cuda_on_cpu: a library, or a program if main is given.

    main: a .cpp file with a main function that launches kernels through the C interface; the thread
    and address sanitizers need to be in a program from its start. defines: "NAME" or "NAME=VALUE".
    """
    if sanitizer not in SANITIZERS:
        raise ValueError(f"sanitizer must be one of {sorted(SANITIZERS)}, got {sanitizer!r}")
    build = _Compiler(chosen, sanitizer, tuple(defines))
    runtime = chosen.root / "cuda_on_cpu"
    own = _contents(runtime.glob("*.h"))
    headers = _contents(p for folder in FOLDERS for p in (chosen.root / folder).glob("*.h"))
    # The runtime itself is never instrumented: its own switching would look like the kernels'.
    objects = [build.unit(runtime / f"{name}.cpp", build.flags(), own) for name in RUNTIME]
    objects.append(build.unit(runtime / "constants.cpp", build.flags(), headers))
    with tempfile.TemporaryDirectory() as scratch:
        for number, source in enumerate(chosen.files):
            # A link, so that the unit reads the same wherever the source lies.
            (Path(scratch) / f"source{number}").symlink_to(source.parent)
            unit = Path(scratch) / f"{source.stem}.cpp"
            unit.write_text(_unit(source, f"source{number}"), encoding="utf-8")
            objects.append(build.unit(unit, build.kernel_flags(), headers, source.read_bytes()))
        unit = Path(scratch) / "table.cpp"
        unit.write_text(_table(chosen), encoding="utf-8")
        objects.append(build.unit(unit, build.kernel_flags(), headers))
    if main is not None:
        objects.append(build.unit(main, build.kernel_flags(), headers))
    link = [compiler()[0], "-pthread", *SANITIZERS[sanitizer], "-Wl,-z,defs"]
    link += ["-shared"] if main is None else []
    stem = _hash(*link, *(item.name for item in objects))
    name = f"cuda_on_cpu-{stem}.so" if main is None else f"{main.stem}-{stem}"
    return _produce(cache_folder() / name, [*link, *map(str, objects)])


def _unit(path: Path, folder: str) -> str:
    rows = "\n".join(f'    describe<{name}>("{name}"),' for name in _KERNEL.findall(_code(path)))
    return f"""\
#include "cuda_on_cpu/cuda_on_cpu.h"
#include "{folder}/{path.name}"
#include "cuda_on_cpu/kernel_table.h"
namespace cuda_on_cpu {{
extern const Kernel kKernels_{path.stem}[] = {{
{rows}
}};
}}
"""


def _table(chosen: Sources) -> str:
    kernels = {path.stem: len(_KERNEL.findall(_code(path))) for path in chosen.files}
    for path in chosen.files:
        if not kernels[path.stem]:
            raise CompilationError(f'{path}: no kernel: found no extern "C" __global__ function')
    shared = sorted({n for path in chosen.files for n in _DYNAMIC_SHARED.findall(_code(path))})
    room = _DYNAMIC_SHARED_CAPACITY
    return "\n".join(
        [
            '#include "cuda_on_cpu/kernel_table.h"',
            *(f"alignas(128) thread_local unsigned char {name}[{room}];" for name in shared),
            "namespace cuda_on_cpu {",
            *(f"extern const Kernel kKernels_{stem}[{n}];" for stem, n in kernels.items()),
            "const Kernel* const kKernels[] = {",
            *(f"    &kKernels_{stem}[{i}]," for stem, n in kernels.items() for i in range(n)),
            "};",
            f"const int kKernelCount = {sum(kernels.values())};",
            "const DynamicShared kDynamicShared[] = {",
            *(f"    {{[]() -> unsigned char* {{ return {n}; }}, {room}}}," for n in shared),
            "    {nullptr, 0},",
            "};",
            f"const int kDynamicSharedCount = {len(shared)};",
            "}",
            "",
        ]
    )
