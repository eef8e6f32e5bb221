"""A program: deploy one service on a cluster, in a process of its own that a test can kill."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.components.oscar_service.stack import Project


def main(folder: str, endpoint: str) -> None:
    server: Any = SimpleNamespace(endpoint=endpoint)
    project = Project(Path(folder), server)
    project.service("plants", "photos/in")
    project.up()


if __name__ == "__main__":
    main(*sys.argv[1:])
