"""Where a run took place: interpreter, libraries, processor, the suite's version and commit."""

import os
import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

# Distributions whose version can change a verdict. Looked up, never imported.
LIBRARIES = (
    "adafactor8bit", "adam-atan2-pytorch", "adam-mini", "adan-pytorch", "apollo-torch",
    "bitsandbytes", "came-pytorch", "compressed-tensors", "cupy-cuda12x", "cupy-cuda13x",
    "flashoptim", "galore-torch", "gefen", "gfloat", "gguf", "heavyball", "hypothesis", "jax",
    "keras", "lion-pytorch", "lomo-optim", "ml_dtypes", "mpmath", "mup", "numpy",
    "nvidia-cuda-nvrtc", "optax", "padasip", "prodigyopt", "pytorch-optimizer", "schedulefree",
    "scipy", "tensorflow", "torch", "torch-optimi", "torch-optimizer", "torchao", "transformers",
    "triton", "turboadam",
)  # fmt: skip

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@cache
def suite() -> dict[str, str | None]:
    """Version of the suite, and its commit where it runs from a checkout (None elsewhere)."""
    # A source tree has no metadata. Its package stands above this one, which may not import it.
    version = _installed("truestep") or sys.modules["truestep"].__version__
    return {"version": version, "commit": _commit()}


@cache
def environment() -> dict[str, object]:
    """What a reader needs to judge whether another machine may give another verdict."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "numpy": _installed("numpy") or "unknown",
        "platform": platform.platform(),
        "cpu": _cpu(),
        "threads": usable_cpus(),
        "variables": {name: os.environ[name] for name in _THREAD_VARIABLES if name in os.environ},
        "gpu": _gpu(),
        "libraries": {name: version for name in LIBRARIES if (version := _installed(name))},
    }


def usable_cpus() -> int:
    """Processors this process may run on, which in a container is fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):  # Linux has it; macOS has not
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine() or "unknown"


def _output(*command: str, cwd: Path | None = None) -> str | None:
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _gpu() -> str | None:
    names = _output("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    return "; ".join(names.splitlines()) if names else None


def _commit() -> str | None:
    root = Path(__file__).resolve().parent.parent
    # A wheel may sit inside another project's checkout, whose commit says nothing about us.
    if not (root / ".git").exists() or not (root / "src" / "truestep").exists():
        return None
    commit = _output("git", "rev-parse", "HEAD", cwd=root)
    if not commit:
        return None
    changed = _output("git", "status", "--porcelain", "--untracked-files=no", cwd=root)
    return f"{commit}-dirty" if changed else commit
