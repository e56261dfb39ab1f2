"""Compiles CUDA sources for the host.

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

SANITIZERS = {
    "": (),
    "address": ("-fsanitize=address",),
    "thread": ("-fsanitize=thread",),
    # All that the compiler calls undefined; the runtime's own checks are some of it.
    "undefined": ("-fsanitize=undefined,float-cast-overflow", "-fno-sanitize-recover=all"),
}

# The parts of cuda_on_cpu that kernels are linked with.
RUNTIME = ("block", "checks", "launch", "runtime")

# What the runtime reports itself, with the kernel, block and thread, at little cost.
CHECKS = "-fsanitize=alignment,bounds,integer-divide-by-zero,null,shift,signed-integer-overflow"

_KERNEL = re.compile(
    r'extern\s+"C"\s+__global__\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?void\s+'
    r"(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\("
)
_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
_DYNAMIC_SHARED = re.compile(r"extern\s+__shared__\s+[^;\[\]]*?(\w+)\s*\[\s*\]\s*;")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
# What a block can opt in to on compute capability 9.0, the most of the supported architectures
# (227 KiB), and the bytes that the runtime watches behind it.
_DYNAMIC_SHARED_CAPACITY = 227 * 1024 + 256


@dataclass(frozen=True, slots=True)
class Unit:
    """CUDA source text to compile. beside: the folder of its own headers, if it has any."""

    stem: str
    text: str
    beside: Path | None = None

    def kernels(self) -> list[str]:
        """The names of its kernels, in their order."""
        return _KERNEL.findall(_COMMENT.sub("", self.text))


def unit_of(path: Path) -> Unit:
    """The text of a .cu file."""
    path = Path(path).resolve()
    return Unit(path.stem, path.read_text(encoding="utf-8"), path.parent)


def source_root() -> Path:
    """The folder of the shipped headers: beside fast/ in a wheel as in a checkout."""
    return Path(__file__).resolve().parents[2] / "csrc"


def included(unit: Unit, root: Path) -> tuple[list[Path], set[str]]:
    """The headers that a unit includes, and what they and it include with angle brackets."""
    found: dict[Path, None] = {}
    named: set[str] = set()
    texts = [(unit.text, unit.beside)]
    while texts:
        text, folder = texts.pop()
        for opening, name in _INCLUDE.findall(_COMMENT.sub("", text)):
            places = [place / name for place in (folder, unit.beside, root) if place is not None]
            path = next((place.resolve() for place in places if place.is_file()), None)
            if opening == "<" or path is None:
                named.add(name)
            elif path not in found:
                found[path] = None
                texts.append((path.read_text(encoding="utf-8"), path.parent))
    return sorted(found), named


class CompilationError(RuntimeError):
    """A compiler rejected the sources; the message is its own."""


@dataclass(frozen=True, slots=True)
class _Object:
    """One object to compile. quoted: where its own #include "..." lie; depends: what they hold."""

    stem: str
    text: str
    flags: tuple[str, ...]
    quoted: Path
    depends: bytes

    def key(self) -> str:
        """A hash of all that decides the object, and not of where it lies."""
        return key(identity(), *self.flags, self.text, self.depends)

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

    units: tuple[Unit, ...]
    root: Path
    sanitizer: str
    defines: tuple[str, ...]

    def flags(self) -> tuple[str, ...]:
        """What every object is compiled with."""
        # No variable of a thread is initialised at run time, so access need not ask whether it is.
        flags = ["-std=c++17", "-fPIC", "-fvisibility=hidden", "-fno-extern-tls-init"]
        flags += ["-pthread", "-Wall", "-Wextra"]
        # Contraction off makes one operation one rounding, as -fmad=false does for NVRTC.
        flags += ["-ffp-contract=off", "-fno-strict-aliasing"]
        # A sanitizer's reports name lines.
        named = [f"-DTRUESTEP_{self.sanitizer[0].upper()}SAN", "-g1"] if self.sanitizer else []
        return (*flags, *named)

    def kernel_flags(self) -> tuple[str, ...]:
        """What kernels are compiled with: the checks and the sanitizer on top."""
        # Units are many and run on little data: it is the compiler's time that counts.
        flags = (*self.flags(), "-O1", "-Wno-unknown-pragmas", "-Wno-tsan", CHECKS)
        return (*flags, *SANITIZERS[self.sanitizer], *(f"-D{name}" for name in self.defines))

    def objects(self, main: Path | None) -> Iterator[_Object]:
        """The runtime, the kernels, the table of them, and the program if there is one."""
        runtime = self.root / "cuda_on_cpu"
        # The runtime itself is never instrumented: its own switching would look like the kernels'.
        own = contents(runtime.glob("*.h"))
        for name in RUNTIME:
            text = (runtime / f"{name}.cpp").read_text(encoding="utf-8")
            yield _Object(name, text, (*self.flags(), "-O2"), runtime, own)
        for unit in self.units:
            headers, named = included(unit, self.root)
            beside = unit.beside or runtime
            depends = own + contents(headers)
            yield _Object(unit.stem, _text(unit, named), self.kernel_flags(), beside, depends)
        yield _Object("table", _table(self.units), self.kernel_flags(), runtime, own)
        if main is not None:
            text = main.read_text(encoding="utf-8")
            yield _Object(main.stem, text, self.kernel_flags(), main.parent, own)


def host_library(
    units: Sequence[Unit],
    root: Path | None = None,
    sanitizer: str = "",
    defines: Sequence[str] = (),
    main: Path | None = None,
) -> Entry:
    """Compiles units for the host, with cuda_on_cpu: a library, or a program if main is given.

    The caller releases the entry when it has loaded the library or run the program.

    root: a folder with the layout of csrc, by default csrc itself. main: a .cpp file with a main
    function that launches kernels through the C interface; the sanitizers need to be in a program
    from its start. defines: "NAME" or "NAME=VALUE". Raises BackendUnavailable without a compiler or
    NVIDIA's headers, CompilationError if the compiler rejects a unit.
    """
    if sanitizer not in SANITIZERS:
        raise ValueError(f"sanitizer must be one of {sorted(SANITIZERS)}, got {sanitizer!r}")
    root = source_root() if root is None else Path(root).resolve()
    objects = list(_Build(tuple(units), root, sanitizer, tuple(defines)).objects(main))
    flags = ["-pthread", *SANITIZERS[sanitizer], "-Wl,-z,defs", *(["-shared"] if not main else [])]
    stem, suffix = (main.stem, "") if main else ("cuda_on_cpu", ".so")
    whole = key(identity(), *flags, *(of.key() for of in objects))
    cache = opened()

    def link(path: Path) -> None:
        with ExitStack() as compiled:
            entries = [compiled.enter_context(of.compiled(cache, root)) for of in objects]
            _run_compiler([*flags, *(str(entry.path) for entry in entries)], path)

    return cache.entry(stem, whole, suffix, link)


def _text(unit: Unit, named: Iterable[str]) -> str:
    """The unit between the language and the table of its kernels."""
    rows = "\n".join(f'    describe<{name}>("{name}"),' for name in unit.kernels())
    # NVIDIA's headers come before the keywords are redefined.
    first = [name for name in sorted(named) if (nvidia_include() / name).is_file()]
    return "\n".join(
        [
            *(f"#include <{name}>" for name in first),
            '#include "cuda_on_cpu/cuda_on_cpu.h"',
            f'#line 1 "{unit.stem}.cu"',
            unit.text,
            '#include "cuda_on_cpu/kernel_table.h"',
            "namespace cuda_on_cpu {",
            f"extern const Kernel kKernels_{unit.stem}[] = {{",
            rows,
            "};",
            "}",
            "",
        ]
    )


def _table(units: Sequence[Unit]) -> str:
    counts = {unit.stem: len(unit.kernels()) for unit in units}
    for stem, count in counts.items():
        if not count:
            raise CompilationError(f'{stem}: no kernel: found no extern "C" __global__ function')
    shared = sorted({n for unit in units for n in _DYNAMIC_SHARED.findall(unit.text)})
    room = _DYNAMIC_SHARED_CAPACITY
    return "\n".join(
        [
            '#include "cuda_on_cpu/kernel_table.h"',
            *(f"alignas(128) thread_local unsigned char {name}[{room}];" for name in shared),
            "namespace cuda_on_cpu {",
            *(f"extern const Kernel kKernels_{stem}[{n}];" for stem, n in counts.items()),
            "const Kernel* const kKernels[] = {",
            *(f"    &kKernels_{stem}[{i}]," for stem, n in counts.items() for i in range(n)),
            "};",
            f"const int kKernelCount = {sum(counts.values())};",
            "const DynamicShared kDynamicShared[] = {",
            *(f"    {{[]() -> unsigned char* {{ return {n}; }}, {room}}}," for n in shared),
            "    {nullptr, 0},",
            "};",
            f"const int kDynamicSharedCount = {len(shared)};",
            "}",
            "",
        ]
    )
