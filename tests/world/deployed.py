"""Outputs of a deployed stack, and the state that the engine leaves of a local one."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FUNCTION = {
    "arn": "arn:aws:lambda:us-east-1:000000000000:function:upper",
    "region": "us-east-1",
    "logGroup": "/aws/lambda/upper",
    "image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/upper@sha256:0",
    "executionMode": "lambda",
    "inputs": [{"provider": "s3.default", "path": "pictures/in", "prefix": [], "suffix": [".jpg"]}],
    "outputs": [{"provider": "s3.default", "path": "pictures/out", "prefix": [], "suffix": []}],
}
OUTPUTS = {"functions": {"upper": FUNCTION}, "buckets": [{"name": "pictures", "managed": True}]}


def resource(kind: str, outputs: Mapping[str, Any], name: str = "it", parent: str = "", **more: Any) -> dict[str, Any]:
    """Return a resource as a stack's state has it; `parent` is the URN of its component."""
    urn = f"urn:pulumi:local::project::{kind}::{name}"
    return {"urn": urn, "type": kind, "outputs": outputs, "parent": parent, **more}


def write_state(
    state: Path,
    project: str,
    outputs: Mapping[str, Any],
    stack: str = "local",
    resources: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write the state of a local stack into a state directory."""
    whole = resource("pulumi:pulumi:Stack", outputs)
    checkpoint = {"checkpoint": {"latest": {"resources": [whole, *resources]}}}
    file = state / "pulumi" / ".pulumi" / "stacks" / project / f"{stack}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(checkpoint))


def write_fdl(path: Path, *names: str) -> Path:
    """Write an FDL file with functions of these names."""
    functions = [{"lambda": {"name": name, "container": {"image": "busybox:1"}}} for name in names]
    path.write_text(json.dumps({"functions": {"aws": functions}}))
    return path
