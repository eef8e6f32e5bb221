"""The items of a Distributed Map, from its input or an object in S3, and the files of its results.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html
https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from scar_foundation.limits import STATES_PAYLOAD_BYTES
from scar_pulumi.cloud.asgi import ASGIApp, call
from scar_pulumi.cloud.ministack.upstream import rest_request
from scar_pulumi.cloud.signature import Caller
from scar_pulumi.cloud.states.data_flow import Context, State, as_text, filled
from scar_pulumi.cloud.states.failures import ITEM_READER, RESULT_WRITER, RUNTIME, StateFailureError
from scar_pulumi.cloud.states.paths import select
from scar_pulumi.cloud.states.store import UNSUCCESSFUL, Execution, MapRun


class Objects:
    """Objects in this cloud's S3; `application` is the local cloud's own interface."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def read(self, caller: Caller, place: Mapping[str, Any]) -> bytes:
        """Return an object. Raises StateFailureError."""
        query = {"versionId": str(place["VersionId"])} if "VersionId" in place else {}
        path = f"/{quote(str(place['Bucket']))}/{quote(str(place['Key']))}"
        at: dict[str, Any] = {"account": caller.account, "region": caller.region}
        answer = await call(self._application, rest_request("s3", "GET", path, query=query, **at))
        if not answer.succeeded:
            reason = (
                f"s3://{place['Bucket']}/{place['Key']} cannot be read: {answer.body[:500].decode(errors='replace')}"
            )
            raise StateFailureError(ITEM_READER, reason)
        return answer.body

    async def write(self, caller: Caller, bucket: str, key: str, document: Any) -> int:
        """Store a JSON document; return its size. Raises StateFailureError."""
        body = json.dumps(document).encode()
        path = f"/{quote(bucket)}/{quote(key)}"
        at: dict[str, Any] = {"account": caller.account, "region": caller.region}
        answer = await call(self._application, rest_request("s3", "PUT", path, body=body, **at))
        if not answer.succeeded:
            reason = f"s3://{bucket}/{key} cannot be written: {answer.body[:500].decode(errors='replace')}"
            raise StateFailureError(RESULT_WRITER, reason)
        return len(body)


async def read_items(objects: Objects, caller: Caller, state: State, data: Any, context: Context) -> list[Any]:
    """Return the items that a state's ItemReader reads. Raises StateFailureError."""
    reader = state["ItemReader"]
    place = filled(reader["Parameters"], data, context)
    missing = [name for name in ("Bucket", "Key") if name not in place]
    if missing:
        raise StateFailureError(ITEM_READER, f"Parameters of the ItemReader need {' and '.join(missing)}")
    content = await objects.read(caller, place)
    configuration = reader["ReaderConfig"]
    where = f"s3://{place['Bucket']}/{place['Key']}"
    parsed = _lines(content, where) if configuration["InputType"] == "JSONL" else _array(content, where)
    most = configuration.get("MaxItems")
    if "MaxItemsPath" in configuration:
        most = select(configuration["MaxItemsPath"], data, context)
    return parsed[:most]


def _lines(content: bytes, where: str) -> list[Any]:
    items = []
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.strip():
            try:
                items.append(json.loads(line))
            except ValueError as error:
                raise StateFailureError(ITEM_READER, f"{where}, line {number}: {error}") from None
    return items


def _array(content: bytes, where: str) -> list[Any]:
    try:
        items = json.loads(content)
    except ValueError as error:
        raise StateFailureError(ITEM_READER, f"{where}: {error}") from None
    if not isinstance(items, list):
        raise StateFailureError(ITEM_READER, f"{where} is no JSON array; InputType JSON needs one")
    return items


def batched(batcher: Mapping[str, Any] | None, inputs: Sequence[Any], data: Any, context: Context) -> Iterator[str]:
    """Yield the children's inputs as text, each within what AWS lets pass. Raises StateFailureError."""
    if batcher is None:
        groups: Iterator[Any] = iter(inputs)
    else:
        shared = {"BatchInput": filled(batcher["BatchInput"], data, context)} if "BatchInput" in batcher else {}
        groups = ({**shared, "Items": group} for group in _groups(batcher, inputs))
    for group in groups:
        text = as_text(group)
        if len(text.encode()) > STATES_PAYLOAD_BYTES:
            reason = f"An item of the Map has more than {STATES_PAYLOAD_BYTES} bytes, the limit of a child's input."
            raise StateFailureError(RUNTIME, reason)
        yield text


def _groups(batcher: Mapping[str, Any], inputs: Sequence[Any]) -> Iterator[list[Any]]:
    most, most_bytes = batcher.get("MaxItemsPerBatch"), batcher.get("MaxInputBytesPerBatch", STATES_PAYLOAD_BYTES)
    group: list[Any] = []
    size = 0
    for item in inputs:
        length = len(as_text(item).encode()) + 1
        if group and (len(group) == most or size + length > most_bytes):
            yield group
            group, size = [], 0
        group.append(item)
        size += length
    if group:
        yield group


async def write_results(
    objects: Objects, caller: Caller, place: Mapping[str, Any], run: MapRun, children: Sequence[Execution]
) -> dict[str, Any]:
    """Store the results of a Map Run, and the manifest that names their files; return the state's result."""
    bucket, prefix = str(place["Bucket"]), str(place.get("Prefix", "")).strip("/")
    folder = "/".join(filter(None, (prefix, run.arn.rpartition(":")[2])))
    files: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for kind, listed in files.items():
        meant = UNSUCCESSFUL if kind == "FAILED" else (kind,)
        if results := [_described(child) for child in children if child.status in meant]:
            key = f"{folder}/{kind}_0.json"
            listed.append({"Key": key, "Size": await objects.write(caller, bucket, key, results)})
    manifest = {"DestinationBucket": bucket, "MapRunArn": run.arn, "ResultFiles": files}
    await objects.write(caller, bucket, f"{folder}/manifest.json", manifest)
    return {"MapRunArn": run.arn, "ResultWriterDetails": {"Bucket": bucket, "Key": f"{folder}/manifest.json"}}


def _described(child: Execution) -> dict[str, Any]:
    document: dict[str, Any] = {
        "ExecutionArn": child.arn,
        "Input": child.input,
        "InputDetails": {"Included": True},
        "Name": child.name,
        "StartDate": child.started,
        "StateMachineArn": child.machine,
        "Status": child.status,
        "StopDate": child.stopped,
    }
    if child.output is not None:
        document |= {"Output": child.output, "OutputDetails": {"Included": True}}
    words = {"Error": child.error, "Cause": child.cause}
    return document | {name: text for name, text in words.items() if text is not None}
