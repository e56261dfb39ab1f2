"""Finds the CUDA sources and compiles them for the host.

Results are cached by a hash of all that went in, so that a source tree or a changed copy of one is
compiled only once.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from truestep.fast.ours.cache import Cache, Entry, contents, key, opened
from truestep.fast.ours.cuda_toolchain import compiler, identity, nvidia_include
from truestep.fast.protocol import BackendUnavailable

SANITIZERS = {
    "": (),
    "address": ("-fsanitize=address",),
    "thread": ("-fsanitize=thread",),
    # All that the compiler calls undefined; the runtime's own checks are some of it.
    "undefined": ("-fsanitize=undefined,float-cast-overflow", "-fno-sanitize-recover=all"),
}

# The folders whose headers kernels may include.
FOLDERS = ("cuda", "cuda_on_cpu", "formats", "rules")

_HEADERS = (".cuh", ".h", ".hpp")

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


class CompilationError(RuntimeError):
    """A compiler rejected the sources; the message is its own."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """One unit to compile. quoted: where its own #include "..." lie; depends: what they hold."""

    stem: str
    text: str
    flags: tuple[str, ...]
    quoted: Path
    depends: tuple[bytes, ...]

    def key(self) -> str:
        """A hash of all that decides the object, and not of where it lies."""
        return key(identity(), *self.flags, self.text, *self.depends)

    def compiled(self, cache: Cache, root: Path) -> Entry:
        """The object."""

        def make(path: Path) -> None:
            source = path.with_name(f"{self.stem}.cpp")
            source.write_text(self.text, encoding="utf-8")
            # Its own name in messages, and the same bytes wherever it is compiled.
            places = [f"-ffile-prefix-map={path.parent}/=", "-isystem", str(nvidia_include())]
            places += ["-iquote", str(self.quoted), "-I", str(root)]
            _run_compiler([*self.flags, *places, "-c", str(source)], path)

        return cache.entry(self.stem, self.key(), ".o", make)


def _run_compiler(arguments: Sequence[str], target: Path) -> None:
    command = [compiler()[0], *arguments, "-o", str(target)]
    # The compiler's own temporary files too go where nobody else can, and where they are removed.
    environment = os.environ | {"TMPDIR": str(target.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise CompilationError(f"{' '.join(command)}\n{done.stderr.strip()}")


@dataclass(frozen=True, slots=True)
class _Build:
    """What one library or program is made of."""

    sources: Sources
    sanitizer: str
    defines: tuple[str, ...]

    def flags(self) -> tuple[str, ...]:
        """What every unit is compiled with."""
        # No variable of a thread is initialised at run time, so access need not ask whether it is.
        flags = ["-std=c++17", "-O2", "-g1", "-fPIC", "-fvisibility=hidden", "-fno-extern-tls-init"]
        flags += ["-pthread", "-Wall", "-Wextra"]
        # Contraction off makes one operation one rounding, as -fmad=false does for NVRTC.
        flags += ["-ffp-contract=off", "-fno-strict-aliasing"]
        named = [f"-DTRUESTEP_{self.sanitizer[0].upper()}SAN"] if self.sanitizer else []
        return (*flags, *named)

    def kernel_flags(self) -> tuple[str, ...]:
        """What kernels are compiled with: the checks and the sanitizer on top."""
        flags = (*self.flags(), "-Wno-unknown-pragmas", "-Wno-tsan", CHECKS)
        return (*flags, *SANITIZERS[self.sanitizer], *(f"-D{name}" for name in self.defines))

    def units(self, main: Path | None) -> Iterator[_Unit]:
        """The runtime, the kernels, the table of them, and the program if there is one."""
        runtime = self.sources.root / "cuda_on_cpu"
        headers = contents(
            path for folder in FOLDERS for path in (self.sources.root / folder).glob("*.h")
        )
        # The runtime itself is never instrumented: its own switching would look like the kernels'.
        own = contents(runtime.glob("*.h"))
        for name in (*RUNTIME, "constants"):
            text = (runtime / f"{name}.cpp").read_text(encoding="utf-8")
            yield _Unit(
                name, text, self.flags(), runtime, (headers if name == "constants" else own,)
            )
        for source in self.sources.files:
            beside = contents(p for p in source.parent.iterdir() if p.suffix in _HEADERS)
            depends = (headers, beside, source.read_bytes())
            yield _Unit(source.stem, _unit(source), self.kernel_flags(), source.parent, depends)
        yield _Unit("table", _table(self.sources), self.kernel_flags(), runtime, (headers,))
        if main is not None:
            text = main.read_text(encoding="utf-8")
            yield _Unit(main.stem, text, self.kernel_flags(), main.parent, (headers,))


# This process loads or runs these by their paths, so they stay in the cache until it ends.
_in_use: dict[Path, Entry] = {}


def host_library(
    chosen: Sources, sanitizer: str = "", defines: Sequence[str] = (), main: Path | None = None
) -> Path:
    """Compiles sources for the host, with cuda_on_cpu: a library, or a program if main is given.

    main: a .cpp file with a main function that launches kernels through the C interface; the
    sanitizers need to be in a program from its start. defines: "NAME" or "NAME=VALUE".
    """
    if sanitizer not in SANITIZERS:
        raise ValueError(f"sanitizer must be one of {sorted(SANITIZERS)}, got {sanitizer!r}")
    units = list(_Build(chosen, sanitizer, tuple(defines)).units(main))
    flags = ["-pthread", *SANITIZERS[sanitizer], "-Wl,-z,defs", *(["-shared"] if not main else [])]
    stem, suffix = (main.stem, "") if main else ("cuda_on_cpu", ".so")
    whole = key(identity(), *flags, *(unit.key() for unit in units))
    cache = opened()

    def link(path: Path) -> None:
        with ExitStack() as objects:
            entries = [objects.enter_context(u.compiled(cache, chosen.root)) for u in units]
            _run_compiler([*flags, *(str(entry.path) for entry in entries)], path)

    entry = cache.entry(stem, whole, suffix, link)
    if before := _in_use.get(entry.path):
        before.release()
    _in_use[entry.path] = entry
    return entry.path


def _unit(path: Path) -> str:
    rows = "\n".join(f'    describe<{name}>("{name}"),' for name in _KERNEL.findall(_code(path)))
    return f"""\
#include "cuda_on_cpu/cuda_on_cpu.h"
#include "{path.name}"
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
