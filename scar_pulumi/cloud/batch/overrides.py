"""The overrides that Batch passes on to ECS: ECS counts their characters, and fails jobs that have too many.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scar_pulumi.cloud.batch.job_definitions import substituted

Document = Mapping[str, Any]

_JOB_ID = "x" * 36


def longest_overrides(definition: Document, request: Document, queue: Document) -> int:
    """Return the length of the overrides of a job, of a multi-node job's longest node; `queue` is the job's."""
    return max(len(json.dumps(_task(*pair, definition, request, queue))) for pair in _containers(definition, request))


def _containers(definition: Document, request: Document) -> Iterator[tuple[Document, Document]]:
    """Yield each container with its overrides."""
    if definition["type"] == "container":
        yield definition["containerProperties"], request.get("containerOverrides") or {}
        return
    overrides: Sequence[Document] = (request.get("nodeOverrides") or {}).get("nodePropertyOverrides") or ({},)
    for entry in definition["nodeProperties"]["nodeRangeProperties"]:
        for override in overrides:
            yield entry["container"], override.get("containerOverrides") or {}


def _task(container: Document, overrides: Document, definition: Document, request: Document, queue: Document) -> Any:
    passed = {key: overrides[key] for key in ("environment", "resourceRequirements", "command") if overrides.get(key)}
    if "command" not in passed and any("Ref::" in word for word in container.get("command") or ()):
        parameters = {**(definition.get("parameters") or {}), **(request.get("parameters") or {})}
        passed["command"] = substituted(container, parameters)["command"]
    passed["environment"] = [*passed.get("environment", ()), *_own_variables(queue)]
    return {"containerOverrides": [{"name": "default", **passed}]}


def _own_variables(queue: Document) -> list[dict[str, str]]:
    """Return the variables that Batch adds. https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html"""
    environments = [entry["computeEnvironment"] for entry in queue.get("computeEnvironmentOrder") or ()]
    variables = {
        "AWS_BATCH_JOB_ID": _JOB_ID,
        "AWS_BATCH_JOB_ATTEMPT": "1",
        "AWS_BATCH_JQ_NAME": queue["jobQueueName"],
        "AWS_BATCH_CE_NAME": max((name.rpartition("/")[2] for name in environments), key=len, default=""),
    }
    return [{"name": name, "value": value} for name, value in variables.items()]
