"""Libraries of kernels in the cache: what decides their keys, and what is loaded of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import truestep
from truestep.fast.ours import cache, cuda_build, cuda_on_cpu, cuda_toolchain, cuda_units
from truestep.fast.ours.rule_kernels import kernel_for
from truestep.fast.protocol import BackendUnavailable
from truestep.reference.optimizers import lion

SOURCE = '#include "one.h"\nextern "C" __global__ void one_kernel(int* x) { x[0] = ONE; }\n'


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty cache; skips where nothing can be compiled."""
    try:
        cuda_toolchain.identity()
    except BackendUnavailable as unavailable:
        pytest.skip(str(unavailable))
    monkeypatch.setenv("TRUESTEP_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache"
    cuda_toolchain.identity.cache_clear()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A kernel that writes what the header beside it says."""
    (tmp_path / "one.h").write_text("#define ONE 1\n")
    (tmp_path / "one.cu").write_text(SOURCE)
    return tmp_path / "one.cu"


def written(source: Path) -> int:
    """What the kernel writes, in a process of its own: a library is loaded only once in one."""
    program = f"""
import numpy as np
from pathlib import Path
from truestep.fast.ours import cuda_on_cpu
from truestep.fast.ours.cuda_build import unit_of
x = np.zeros(1, np.int32)
cuda_on_cpu.build([unit_of(Path({str(source)!r}))]).launch("one_kernel", 1, 1, [x])
print(x[0])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def library_of(units: list[cuda_build.Unit]) -> Path:
    """Where their library lies in the cache."""
    with cuda_build.host_library(units) as entry:
        return entry.path


def test_an_altered_library_is_compiled_anew(source: Path) -> None:
    """Torn or with one other byte, it is not loaded; the new one is as the first was."""
    chosen = [cuda_build.unit_of(source)]
    path = library_of(chosen)
    content = path.read_bytes()
    assert path.stem.endswith(hashlib.sha256(content).hexdigest())
    for altered in (content[:-100], content.replace(b"one_kernel", b"two_kernel")):
        path.write_bytes(altered)
        assert library_of(chosen).read_bytes() == content
    assert written(source) == 1


def test_an_altered_object_is_not_linked(source: Path, own_cache: Path) -> None:
    """Each object is verified before it becomes part of a library."""
    chosen = [cuda_build.unit_of(source)]
    path = library_of(chosen)
    content = path.read_bytes()
    path.unlink()
    [unit] = own_cache.glob("one-*.o")
    unit.write_bytes(unit.read_bytes().replace(b"one_kernel", b"two_kernel"))
    assert library_of(chosen).read_bytes() == content


def test_a_header_beside_the_source_is_part_of_the_key(source: Path) -> None:
    """A change of it is seen, as one of the shipped headers is."""
    assert written(source) == 1
    source.with_name("one.h").write_text("#define ONE 2\n")
    assert written(source) == 2


def test_headers_are_followed_and_those_of_other_rules_are_not(tmp_path: Path) -> None:
    """What a unit includes is found through its headers; another rule's does not make it anew."""
    rule = kernel_for("lion", lion.Hyper())
    unit = cuda_units.step_unit(rule, ["float32", "bfloat16"])
    headers, named = cuda_build.included(unit, cuda_build.source_root())
    names = {path.name for path in headers}
    assert {"lion.h", "rule.h", "step.h", "storage.h", "bfloat16.h", "host_device.h"} <= names
    assert not {"adamw.h", "dynamic_8bit.h"} & names
    assert named == {"math.h"}
    (tmp_path / "one.h").write_text('// #include "two.h"\n#include <cuda_fp16.h>\n')
    (tmp_path / "two.h").write_text("")
    own = cuda_build.Unit("own", '#include "one.h"\n', tmp_path)
    assert cuda_build.included(own, tmp_path) == ([tmp_path / "one.h"], {"cuda_fp16.h"})


def set_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the compiler looks for headers."""
    monkeypatch.setenv("CPATH", "/nowhere")


def other_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same program in another version."""
    path, version = cuda_toolchain.compiler()
    monkeypatch.setattr(cuda_toolchain, "compiler", lambda: (path, f"{version} and later"))


def other_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of TrueStep."""
    monkeypatch.setattr(truestep, "__version__", "0.0.0")


def other_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte more in one of NVIDIA's headers, where the others are."""
    include = Path(cache.opened().folder) / "include"
    shutil.copytree(cuda_toolchain.nvidia_include(), include)
    with (include / "cuda_bf16.h").open("a", encoding="utf-8") as header:
        header.write("\n")
    monkeypatch.setattr(cuda_toolchain, "nvidia_include", lambda: include)


@pytest.mark.parametrize("change", [set_variable, other_compiler, other_suite, other_headers])
def test_the_toolchain_is_part_of_the_key(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """Another environment, compiler, suite or header makes another file."""
    before = cuda_toolchain.identity()
    change(monkeypatch)
    cuda_toolchain.identity.cache_clear()
    assert cuda_toolchain.identity() != before


def test_a_compiler_in_the_current_folder_is_not_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An empty entry of PATH means it; whoever wrote there would be run."""
    planted = tmp_path / "g++"
    planted.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\necho Free Software Foundation\n")
    planted.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", ".")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(BackendUnavailable, match="no C\\+\\+ compiler"):
        cuda_toolchain.compiler.__wrapped__()
    assert not (tmp_path / "ran").exists()


def test_a_loaded_library_needs_no_file(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps none open, and outlives the one that it was loaded from."""
    units = [cuda_build.unit_of(source)]
    library_of(units)
    before = os.listdir("/proc/self/fd")
    library = cuda_on_cpu.build(units)
    assert os.listdir("/proc/self/fd") == before
    monkeypatch.setattr(cache, "MAX_BYTES", 0)
    cache.opened().prune()
    assert not list(cache.opened().folder.iterdir())
    x = np.zeros(1, np.int32)
    library.launch("one_kernel", 1, 1, [x])
    assert x == 1
