"""The command line in this process, with directories of its own and an engine that only remembers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TextIO

import pytest

import scar_pulumi.engine
from scar_foundation.errors import InputError
from scar_pulumi.cli.main import main
from scar_pulumi.engine import Changes, Result, Step
from tests.world.deployed import FUNCTION, OUTPUTS, write_fdl, write_state
from tests.world.ministack import bucket, clients, logs, s3
from tests.world.state_directories import directories

__all__ = ["FUNCTION", "OUTPUTS", "bucket", "clients", "directories", "logs", "s3", "write_fdl", "write_state"]


@dataclass(frozen=True)
class Ended:
    """What a verb ended with and printed."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.stdout)


Scar = Callable[..., Ended]


@pytest.fixture
def scar(capsys: pytest.CaptureFixture[str]) -> Scar:
    """Run a verb and return what it printed."""

    def run(*arguments: object) -> Ended:
        status = main([str(argument) for argument in arguments])
        return Ended(status, *capsys.readouterr())

    return run


@dataclass
class FakeEngine:
    """Stands for the engine: says what it is told to and remembers what was asked of it."""

    asked: list[str] = field(default_factory=list)
    outputs: Mapping[str, Any] | None = field(default_factory=lambda: OUTPUTS)
    changes: Changes = field(default_factory=lambda: Changes(create=2, same=1))
    steps: tuple[Step, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    resources: list[Mapping[str, Any]] = field(default_factory=list)
    leaves_unreachable: bool = False


class FakeStack:
    """A stack of the fake engine."""

    engine: ClassVar[FakeEngine]

    def __init__(
        self,
        fdl: Path | None = None,
        name: str = "local",
        *,
        config: Mapping[str, str] | None = None,
        overrides: Mapping[str, str] | None = None,
        progress: Callable[[str], None] | None = None,
        stream: TextIO | None = None,
        project: str | None = None,
        directory: Path | None = None,
        leave_unreachable: bool = False,
    ) -> None:
        self.engine.directory = directory
        self.engine.leaves_unreachable = leave_unreachable
        self.engine.config, self.engine.overrides = config or {}, overrides or {}
        self.name, self.project = name, project or (fdl.stem if fdl else "project")
        self.is_local = name.startswith("local")
        self.region = self.engine.config.get("aws:region", "")
        self.deletes_buckets = self.engine.config.get("scar:deleteBuckets") == "true"

    @property
    def has_unique_names(self) -> bool | None:
        configured = self.engine.config.get("scar:uniqueNames")
        return None if configured is None else configured == "true"

    def outputs(self, *, show_secrets: bool = False) -> Mapping[str, Any]:
        if self.engine.outputs is None:
            raise InputError("no such stack")
        return self.engine.outputs

    def deployment(self) -> Mapping[str, Any]:
        return {"resources": self.engine.resources}

    def _operate(self, verb: str) -> Result:
        self.engine.asked.append(verb)
        return Result(self.engine.changes, self.engine.steps, self.engine.outputs or {}, {verb: 1.0})

    def up(self) -> Result:
        return self._operate("up")

    def preview(self) -> Result:
        return self._operate("preview")

    def refresh(self) -> Result:
        return self._operate("refresh")

    def destroy(self) -> Result:
        return self._operate("destroy")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    engine = FakeEngine()
    monkeypatch.setattr(FakeStack, "engine", engine, raising=False)
    monkeypatch.setattr(scar_pulumi.engine, "Stack", FakeStack, raising=False)
    return engine


@pytest.fixture
def fdl(directories: Path) -> Path:
    """Return an FDL file without mistakes, with the function `upper`."""
    return write_fdl(directories / "video.yaml", "upper")
