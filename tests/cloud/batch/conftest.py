"""A local cloud with its own runner, a queue, and jobs that are shell commands."""

import secrets
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.runner import images
from tests.world.fake_cloud import FakeCloud, image_uri, wait_for

ENDED = ("SUCCEEDED", "FAILED")


class Batch:
    """A cloud's Batch service: `queue` makes what jobs need, `submit` runs shell commands in busybox."""

    def __init__(self, cloud: FakeCloud, layer: bytes) -> None:
        self.cloud = cloud
        self.layer = layer
        self.client = cloud.client("batch")
        self.image = ""

    def push(self) -> None:
        """Push the image that jobs run."""
        self.cloud.client("ecr").create_repository(repositoryName="busybox")
        self.image = image_uri("busybox", self.cloud.push("busybox", layer=self.layer))

    def environment(self, vcpus: int = 4, **resources: Any) -> str:
        """Make a compute environment that is VALID, and return its name."""
        name = f"environment-{uuid.uuid4().hex[:8]}"
        self.client.create_compute_environment(
            computeEnvironmentName=name,
            type="MANAGED",
            computeResources={
                "type": "EC2",
                "maxvCpus": vcpus,
                "instanceTypes": ["optimal"],
                "subnets": ["subnet-1"],
                "instanceRole": "ecsInstanceRole",
                **resources,
            },
        )
        wait_for(lambda: self._status("compute_environments", "computeEnvironments", name) == "VALID")
        return name

    def queue(self, *environments: str, priority: int = 1, **settings: Any) -> str:
        """Make a queue that is VALID, on an environment of its own unless some are named, and return its name."""
        name = f"queue-{uuid.uuid4().hex[:8]}"
        named = environments or (self.environment(),)
        order = [{"order": number, "computeEnvironment": found} for number, found in enumerate(named)]
        self.client.create_job_queue(jobQueueName=name, priority=priority, computeEnvironmentOrder=order, **settings)
        wait_for(lambda: self._status("job_queues", "jobQueues", name) == "VALID")
        return name

    def _status(self, operation: str, key: str, name: str) -> str:
        found = getattr(self.client, f"describe_{operation}")(**{key: [name]})[key]
        return str(found[0]["status"]) if found else ""

    def container(self, script: str = "", vcpus: float = 1, memory: int = 64, gpus: int = 0, **more: Any) -> Any:
        """Return container properties."""
        resources = [{"type": "VCPU", "value": str(vcpus)}, {"type": "MEMORY", "value": str(memory)}]
        if gpus:
            resources.append({"type": "GPU", "value": str(gpus)})
        command = ["sh", "-c", script] if script else []
        return {"image": self.image, "command": command, "resourceRequirements": resources, **more}

    def definition(self, script: str = "", name: str = "", **more: Any) -> str:
        """Register a definition and return its ARN."""
        settings = {key: more.pop(key) for key in ("retryStrategy", "timeout", "parameters", "tags") if key in more}
        answer = self.client.register_job_definition(
            jobDefinitionName=name or f"definition-{uuid.uuid4().hex[:8]}",
            type="container",
            containerProperties=self.container(script, **more),
            **settings,
        )
        return str(answer["jobDefinitionArn"])

    def submit(self, queue: str, definition: str, **more: Any) -> str:
        """Submit a job and return its id."""
        request = {"jobName": "job", "jobQueue": queue, "jobDefinition": definition, **more}
        return str(self.client.submit_job(**request)["jobId"])

    def run(self, queue: str, script: str, **more: Any) -> Any:
        """Run a command as a job to its end."""
        return self.end(self.submit(queue, self.definition(script, **more)))

    def job(self, identifier: str) -> Any:
        return self.client.describe_jobs(jobs=[identifier])["jobs"][0]

    def wait(self, identifier: str, *statuses: str, seconds: float = 30) -> Any:
        """Wait until a job has one of the statuses."""
        return wait_for(lambda: found if (found := self.job(identifier))["status"] in statuses else None, seconds)

    def end(self, identifier: str, seconds: float = 30) -> Any:
        """Wait until a job has ended."""
        return self.wait(identifier, *ENDED, seconds=seconds)

    def log(self, job: dict[str, Any], group: str = "/aws/batch/job") -> Any:
        """Return what a job that printed something has printed."""
        stream = job["container"]["logStreamName"]
        return wait_for(lambda: self._lines(group, stream))

    def _lines(self, group: str, stream: str) -> list[str]:
        client = self.cloud.client("logs")
        try:
            events = client.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]
        except client.exceptions.ResourceNotFoundException:
            return []
        return [event["message"].rstrip("\n") for event in events]


@pytest.fixture(scope="session")
def layer(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a layer with busybox and nothing else."""
    return images.base_layer(images.find_busybox(tmp_path_factory.mktemp("busybox")))


@pytest.fixture(scope="package")
def batch(tmp_path_factory: pytest.TempPathFactory, layer: bytes) -> Iterator[Batch]:
    """Return the Batch service of a running cloud, for all tests that leave it running."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCAR_LOCAL_JOB_STORAGE", "32")
        patch.setenv("SCAR_LOCAL_SHORTEST_JOB_TIMEOUT", "1")
        yield from started(FakeCloud(tmp_path_factory.mktemp("cloud")), layer)


@pytest.fixture
def own(tmp_path: Path, layer: bytes) -> Iterator[Batch]:
    """Return a cloud of a test's own."""
    yield from started(FakeCloud(tmp_path / "state"), layer)


def started(cloud: FakeCloud, layer: bytes) -> Iterator[Batch]:
    try:
        cloud.start()
        batch = Batch(cloud, layer)
        batch.push()
        yield batch
    finally:
        cloud.stop()


@pytest.fixture(scope="package")
def queue(batch: Batch) -> str:
    """Return a queue of four vCPUs."""
    return batch.queue()


@pytest.fixture
def nap() -> str:
    """Return a long time to sleep, in seconds, that no other test on this machine sleeps."""
    return f"{600 + secrets.randbelow(300)}.{secrets.randbelow(10**9):09}"
