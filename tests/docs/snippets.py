"""The fenced blocks of a page of docs/, and how each is run.

A block of Python that begins with a comment of its file's name, as "# my_backend.py", is that file,
and so is one of C that begins with "// step.c"; other Python runs, all of a page in one namespace.
A console block holds commands after "$ " with what they print: every line shown has to occur in the
output, in this order, "..." standing for anything; a comment "# exit status 1" says how a command
ends, without it one that prints nothing ends with 0. All of a page happens in a folder of its own.

What needs a library or a device that is not there is compiled, and raises NotRun.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt

# What a reader types that is no business of a test: it installs, or starts what goes on.
NOT_OURS = ("cmake", "conda", "docker", "git", "make", "nvcc", "pip", "ray", "sbatch", "srun", "uv")
# Libraries whose kernels run on a GPU alone.
DEVICE = ("cupy", "triton")
NAMED = re.compile(r"^(?:#|//) ([\w./-]+\.(?:c|cfg|cpp|cu|h|ini|json|py|toml|txt|yaml|yml))$", re.M)
STATUS = re.compile(r"\s+# exit status (\d+)$")
# What a command may wrap where it is installed: "keras:keras.optimizers.Lion".
_WRAPPED = ("keras", "optax", "torch")
_LIMIT = 600


class NotRun(Exception):
    """A snippet was compiled, but it did not run; why is told."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, and the line of the page where it begins."""

    language: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """The name of the file that it is, if it begins with one."""
        found = NAMED.match(self.text)
        return found[1] if found else None


@dataclass(slots=True)
class Page:
    """Where the blocks of a page run. lacking: files written that need what is not there. done: how
    many blocks have run.
    """

    folder: Path
    names: dict[str, object] = field(default_factory=lambda: {"__name__": "page"})
    lacking: dict[str, str] = field(default_factory=dict)
    done: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """A command line, the lines that are shown of what it prints, and its exit status if told."""

    line: str
    shown: tuple[str, ...]
    status: int | None = None

    @property
    def ends(self) -> tuple[int, ...]:
        """How it may end: as told, else with 0, or as the lines that it has to print say."""
        if self.status is not None:
            return (self.status,)
        return (0, 1, 2) if self.shown else (0,)


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page."""
    found = MarkdownIt().parse(text)
    return [
        Block(token.info.strip(), token.content, token.map[0] + 1 if token.map else 0)
        for token in found
        if token.type == "fence"
    ]


def run(block: Block, page: Page) -> None:
    """Write, run or compare what the block says; text that is nothing to run is left alone."""
    if block.language == "console":
        _console(block, page)
    elif block.file is not None:
        _write(block, page, block.file)
    elif block.language == "python":
        _python(block, page)
    elif block.text.startswith("$ "):
        raise AssertionError("commands stand in a block of the language console")
    elif block.language not in ("", "math", "text"):
        raise NotRun(f"a piece of {block.language}, no file and no command")


def commands(text: str) -> list[Command]:
    """The commands of a console block; a line that ends in a backslash goes on."""
    found: list[Command] = []
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            status = STATUS.search(line)
            bare = STATUS.sub("", line.removeprefix("$ "))
            found.append(Command(bare, (), int(status[1]) if status else None))
        elif not found:
            raise AssertionError(f"a console block begins with {line!r}, not with a command")
        elif line.strip():
            last = found[-1]
            found[-1] = Command(last.line, (*last.shown, line), last.status)
    return found


def missing_line(shown: tuple[str, ...], printed: str) -> str | None:
    """The first line that does not occur in what was printed, after those before it."""
    lines, at = [" ".join(line.split()) for line in printed.splitlines()], 0
    for line in shown:
        if not line.strip(" ."):
            continue
        parts = [re.escape(" ".join(part.split())) for part in line.split("...")]
        wanted = re.compile(".*".join(parts))
        while at < len(lines) and not wanted.search(lines[at]):
            at += 1
        if at == len(lines):
            return line
        at += 1
    return None


def _write(block: Block, page: Page, name: str) -> None:
    path = page.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text, encoding="utf-8")
    if path.suffix == ".py" and (lack := _lack(block.text, page)):
        page.lacking[name] = lack
        raise NotRun(lack)


def _python(block: Block, page: Page) -> None:
    made = compile("\n" * block.line + block.text, "<page>", "exec")
    if lack := _lack(block.text, page):
        raise NotRun(lack)
    before = Path.cwd()
    os.chdir(page.folder)
    sys.path.insert(0, str(page.folder))
    importlib.invalidate_caches()
    try:
        exec(made, page.names)
    finally:
        sys.path.remove(str(page.folder))
        os.chdir(before)
        # Another page may have a file of the same name.
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None)).startswith(str(page.folder)):
                del sys.modules[name]


def _lack(text: str, page: Page) -> str:
    """What a piece of Python imports that is not to be had here; "" where all is."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    for name in sorted(names):
        if f"{name}.py" in page.lacking:
            return page.lacking[f"{name}.py"]
        if (page.folder / f"{name}.py").exists() or (page.folder / name).is_dir():
            continue
        if importlib.util.find_spec(name) is None:
            return f"needs {name}"
        if name in DEVICE and not Path("/dev/nvidiactl").exists():
            return f"needs a GPU, for {name}"
    return ""


def _console(block: Block, page: Page) -> None:
    left: list[str] = []
    for command in commands(block.text):
        if why := _obstacle(command, page):
            left.append(f"{command.line!r}: {why}")
            continue
        environment = {
            # A run of pytest within this one is no part of it.
            **{name: x for name, x in os.environ.items() if not name.startswith("PYTEST_")},
            "COLUMNS": "100",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        done = subprocess.run(
            command.line,
            shell=True,
            cwd=page.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LIMIT,
        )
        printed = f"$ {command.line}\n{done.stdout}"
        told = f"exit status {done.returncode}, due is {command.status or 0}\n{printed}"
        assert done.returncode in command.ends, told
        lost = missing_line(command.shown, done.stdout)
        assert lost is None, f"not printed: {lost!r}\n{printed}"
    if left:
        raise NotRun("; ".join(left))


def _obstacle(command: Command, page: Page) -> str:
    """Why a command is not run; "" where it can be."""
    words = [x for x in shlex.split(command.line, comments=True) if not re.match(r"[A-Z_]+=", x)]
    first = words[0]
    if first in NOT_OURS or words[:3] in (["python", "-m", "pip"], ["python", "-m", "venv"]):
        return "not a test's to run"
    for name, lack in page.lacking.items():
        if re.search(rf"\b{re.escape(name)}\b", command.line):
            return lack
    for word in words[1:]:
        library = word.partition(":")[0]
        if library in _WRAPPED and importlib.util.find_spec(library) is None:
            return f"needs {library}"
    scripts = Path(sys.executable).parent
    if shutil.which(first) is None and not (scripts / first).exists():
        return f"needs {first}"
    return ""
