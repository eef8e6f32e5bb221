"""One folder per run of an executor, locked while it runs: what a killed run left is found, and swept, by the next."""

import contextlib
import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path

from scar_pulumi.cloud.runner.executors._cgroups import remove_groups

_GROUPS = "control-groups.json"


class RunDirectory:
    """The folder of this run; its name is in the names of the run's control groups."""

    def __init__(self, runs: Path) -> None:
        self.name = uuid.uuid4().hex[:12]
        self.path = runs / self.name
        self.path.mkdir(parents=True, mode=0o700)
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remember_groups(self, parents: Iterable[Path]) -> None:
        """Write down where this run makes control groups, before it makes any."""
        (self.path / _GROUPS).write_text(json.dumps([str(parent) for parent in parents]))

    def sweep_others(self) -> None:
        """Remove what runs that are no more have left: processes in their control groups, and files."""
        for path in self.path.parent.iterdir():
            if path != self.path:
                _sweep(path)

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _sweep(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        else:
            _remove_groups(path)
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(lock)


def _remove_groups(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError, ValueError):
        for parent in json.loads((path / _GROUPS).read_text()):
            remove_groups(Path(parent).glob(f"*{path.name}-*"))
