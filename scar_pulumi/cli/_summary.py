"""What an operation did and what a stack holds, as lines for people and documents for programs."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from scar_pulumi.client.outputs import DeployedFunction, DeployedService, StackOutputs, StoragePath

if TYPE_CHECKING:
    from scar_pulumi.engine import Changes, Step

_DONE = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted", "same": "unchanged"}
_TODO = {"create": "to create", "update": "to update", "replace": "to replace", "delete": "to delete"}
_OURS = ("functions", "oscar", "buckets")


def changes_document(changes: "Changes") -> dict[str, int]:
    """Return the numbers of changes by their names."""
    return {name: getattr(changes, name) for name in _DONE}


def done(changes: "Changes") -> str:
    """Say what was changed, such as `9 created, 2 unchanged`."""
    return _counted(changes, _DONE) or "nothing to do"


def to_do(changes: "Changes") -> str:
    """Say what would be changed; empty when nothing would."""
    return _counted(changes, _TODO)


def step_document(step: "Step") -> dict[str, Any]:
    """Return a resource of a preview; an image comes with its digest, where that is known."""
    document = {"urn": step.urn, "type": step.type, "name": step.name, "op": step.operation}
    digest = step.inputs.get("digest")
    return {**document, "digest": digest} if isinstance(digest, str) and digest.startswith("sha256:") else document


def output_lines(outputs: Mapping[str, Any]) -> Iterator[str]:
    """Describe a stack's outputs: functions and services with where their files come from and go, and what else."""
    if "functions" in outputs:
        deployed = StackOutputs.read(outputs)
        for function in deployed.functions.values():
            yield f"function {function.name}{_flow(function)}"
            yield from (f"  {what} {url}" for what, url in (("url", function.url), ("page", function.page)) if url)
        for service in deployed.services():
            yield f"service {service.cluster}/{service.name}{_flow(service)}"
        for bucket in deployed.buckets:
            yield f"bucket {bucket.name}" + ("" if bucket.managed else "  (not made by this stack)")
    for name, value in outputs.items():
        if name not in _OURS:
            yield f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"


def next_steps(outputs: Mapping[str, Any]) -> Iterator[str]:
    """Suggest what to try on a stack that was just deployed."""
    deployed = StackOutputs.read(outputs) if "functions" in outputs else StackOutputs({}, ())
    called: list[DeployedFunction | DeployedService] = [*deployed.functions.values(), *deployed.services()]
    for function in called:
        if function.inputs:
            yield f"scar-pulumi put {function.inputs[0].place} FILE"
            if function.outputs:
                yield f"scar-pulumi get {function.outputs[0].place} FOLDER"
        else:
            yield f"scar-pulumi invoke {function.name}"
        yield f"scar-pulumi logs {function.name}"
        return


def seconds(times: Mapping[str, float]) -> str:
    """Say what took how long."""
    return ", ".join(f"{name} {value:.1f} s" for name, value in times.items())


def _counted(changes: "Changes", words: Mapping[str, str]) -> str:
    numbers = changes_document(changes)
    return ", ".join(f"{numbers[name]} {word}" for name, word in words.items() if numbers[name])


def _flow(function: DeployedFunction | DeployedService) -> str:
    paths = [" ".join(map(_path, paths)) for paths in (function.inputs, function.outputs)]
    return f"  {' → '.join(part or '-' for part in paths)}" if any(paths) else ""


def _path(path: StoragePath) -> str:
    limits = [*(f"{start}*" for start in path.prefix), *(f"*{end}" for end in path.suffix)]
    return f"{path.place} ({' '.join(limits)})" if limits else path.place
