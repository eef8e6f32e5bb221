"""A cloud of files for engine tests: a resource is a file in `$ENGINE_WORLD`, made by a dynamic provider.

Also a program: `python -m tests.engine.file_cloud VERB RESOURCES SECONDS` operates stack `local` of
the file `$ENGINE_FDL`.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

TYPE = "pulumi-python:dynamic/tests:Thing"


class ThingProvider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        if props["thing"] == "taken":
            raise ValueError("the name is taken; choose another")
        with (_world() / props["thing"]).open("a") as file:
            file.write("created\n")
        time.sleep(props["seconds"])
        return CreateResult(props["thing"], props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        return ReadResult(id_, props) if (_world() / id_).exists() else ReadResult(None, {})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=_olds["size"] != _news["size"])

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(_news)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        (_world() / _id).unlink()


class Thing(Resource, module="tests", name="Thing"):
    def __init__(self, name: str, seconds: float = 0, size: int = 1) -> None:
        super().__init__(ThingProvider(), name, {"thing": name, "seconds": seconds, "size": size})


class NoCloud:
    def start(self, progress: Any) -> None:
        """Nothing to start."""

    def environment(self) -> dict[str, str]:
        return {}


def _world() -> Path:
    return Path(os.environ["ENGINE_WORLD"])


def main(verb: str, count: str, seconds: str) -> None:
    from scar_foundation.errors import ScarError
    from scar_pulumi.engine import Stack, backend

    backend.IDENTITIES[TYPE] = "{thing}"  # type: ignore[index]

    def program() -> None:
        for number in range(int(count)):
            Thing(f"thing-{number}", float(seconds))
        pulumi.export("count", int(count))

    try:
        result = getattr(Stack(os.environ["ENGINE_FDL"], program=program, cloud=NoCloud()), verb)()
    except ScarError as error:
        sys.exit(f"error: {error}")
    print(result.changes)


if __name__ == "__main__":
    from tests.engine.file_cloud import main as importable  # so that providers are pickled by the name of this module

    importable(*sys.argv[1:])
