"""Starting a registry for tests and looking at what reached it."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3

from tests.world.ministack import environment_with_ministack
from tests.world.waiting import wait_for


@dataclass(frozen=True)
class Registry:
    """A running registry: MiniStack, which holds blobs per repository as ECR does."""

    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def create(self, name: str) -> str:
        """Create a repository and return its address on the registry itself."""
        client = boto3.client(
            "ecr",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        client.create_repository(repositoryName=name)
        client.close()
        return f"127.0.0.1:{self.port}/{name}"

    def requests(self) -> list[tuple[str, str, int]]:
        """Return method, path and body size of the requests since the last call."""
        with urllib.request.urlopen(f"{self.endpoint}/_test/requests") as response:
            return [(method, path, size) for method, path, size in json.load(response)]

    def bytes_received(self) -> int:
        """Return how many bytes of blobs came since the last call."""
        return sum(size for _, path, size in self.requests() if "/blobs/" in path)


@contextmanager
def running_registry() -> Iterator[Registry]:
    """Run MiniStack on a free port."""
    program = [sys.executable, str(Path(__file__).with_name("ministack_registry.py"))]
    environment = environment_with_ministack()
    with subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout
            registry = Registry(int(process.stdout.readline()))
            wait_for(lambda: _answers(registry), 60, "MiniStack answers")
            yield registry
        finally:
            process.kill()


def _answers(registry: Registry) -> bool:
    try:
        with urllib.request.urlopen(f"{registry.endpoint}/v2/", timeout=5):
            return True
    except OSError:
        return False
