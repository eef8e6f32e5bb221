"""Finding out how containers can be built on this machine, by building one and looking what it sees."""

import asyncio
import os
import select
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from scar_pulumi.cloud.runner._layer import Marks
from scar_pulumi.cloud.runner.executors.interface import ExecutorUnavailable, LaunchError, Process, Sandbox
from scar_pulumi.cloud.runner.image import Image
from scar_pulumi.cloud.runner.root_filesystem import RootFilesystem

# Nothing that could be executed is at hand for an empty root. What bwrap says after everything was set up tells enough:
# this file is in the lower layer but not executable, and the upper layer hides it.
_COMMAND = "/folder/hidden"
_HIDDEN = b"No such file or directory"
_SECONDS = 20


class _Candidate(Protocol):
    @property
    def stack(self) -> bool: ...


Candidate = TypeVar("Candidate", bound=_Candidate)
Launch = Callable[[Candidate, Sandbox, RootFilesystem], Awaitable[Process]]


async def probe(candidates: Sequence[Candidate], launch: Launch[Candidate], folder: Path, marks: Marks) -> Candidate:
    """Return the first candidate with which a container comes up. Raises ExecutorUnavailable with the failures."""
    failures = []
    for number, candidate in enumerate(candidates):
        try:
            root = _build(folder / str(number), marks if candidate.stack else "none")
            process = await launch(candidate, _sandbox(), root)
            said = await asyncio.wait_for(_last_words(process), _SECONDS)
        except (OSError, LaunchError, TimeoutError) as error:
            failures.append(str(error))
            continue
        if b"execvp" in said and _HIDDEN in said:
            return candidate
        failures.append(said.decode(errors="replace").strip())
    reasons = "; ".join(dict.fromkeys(failures))
    raise ExecutorUnavailable(f"bubblewrap: containers cannot be built here ({reasons})")


def _build(folder: Path, marks: Marks) -> RootFilesystem:
    lower, upper = folder / "lower" / "root", folder / "upper" / "root"
    for layer in (lower, upper):
        for name in ("folder", "proc", "dev", "tmp"):
            (layer / name).mkdir(parents=True)
    if marks == "none":
        return RootFilesystem((upper,), upper)
    (lower / "folder/hidden").touch(mode=0o600)
    os.setxattr(upper / "folder", f"{marks}.overlay.opaque", b"y")
    return RootFilesystem((lower, upper))


def _sandbox() -> Sandbox:
    image = Image("sha256:probe", Path("/"), ())
    return Sandbox("0" * 32, "probe", image, (_COMMAND,), "/", 128, 16, {})


async def _last_words(process: Process) -> bytes:
    try:
        await process.exited
    finally:
        await process.kill()
    said = b""
    while select.select([process.output], [], [], 0)[0]:
        part = os.read(process.output, 4096)
        if not part:
            break
        said += part
    os.close(process.output)
    return said
