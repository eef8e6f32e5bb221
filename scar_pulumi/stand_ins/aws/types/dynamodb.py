"""DynamoDB: tables with their indexes, expiry of items and streams."""

import dataclasses
import time
from typing import Any

from scar_foundation.limits import Range
from scar_foundation.plugin.failures import ProviderError
from scar_foundation.plugin.provider import pause
from scar_foundation.plugin.values import Properties
from scar_pulumi.stand_ins.aws.cloud import CallError, Cloud
from scar_pulumi.stand_ins.aws.model import (
    AutoName,
    Call,
    ResourceType,
    Setting,
    Tags,
    boolean,
    integer,
    nested,
    output,
    string,
    strings,
)

_INDEXES = {"globalSecondaryIndexes": "GlobalSecondaryIndexes", "localSecondaryIndexes": "LocalSecondaryIndexes"}


def _key_schema(values: Properties) -> list[dict[str, str]]:
    keys = (("hashKey", "HASH"), ("rangeKey", "RANGE"))
    return [{"AttributeName": values[name], "KeyType": kind} for name, kind in keys if values.get(name)]


def _index(index: Properties, table: Properties) -> Properties:
    """Return an index as AWS takes it; a local one has the table's own hash key."""
    projection: Properties = {"ProjectionType": index["projectionType"]}
    if index.get("nonKeyAttributes"):
        projection["NonKeyAttributes"] = index["nonKeyAttributes"]
    made: Properties = {
        "IndexName": index["name"],
        "KeySchema": _key_schema(
            {"hashKey": index.get("hashKey") or table["hashKey"], "rangeKey": index.get("rangeKey")}
        ),
        "Projection": projection,
    }
    return made | _throughput(index, table) if "hashKey" in index else made


def _throughput(part: Properties, table: Properties) -> Properties:
    if table.get("billingMode") == "PAY_PER_REQUEST":
        return {}
    units = {"ReadCapacityUnits": part.get("readCapacity") or 1, "WriteCapacityUnits": part.get("writeCapacity") or 1}
    return {"ProvisionedThroughput": units}


def _request(operation: str, request: Properties, values: Properties) -> Properties:
    if operation not in ("create_table", "update_table"):
        return request
    made = {**request, **_throughput(values, values)}
    if values.get("streamEnabled") is not None:
        stream: Properties = {"StreamEnabled": values["streamEnabled"]}
        if values["streamEnabled"]:
            stream["StreamViewType"] = values.get("streamViewType") or "NEW_AND_OLD_IMAGES"
        made["StreamSpecification"] = stream
    if operation == "update_table":
        made.pop("GlobalSecondaryIndexUpdates", None)  # one after the other, once the table is ready: `_until_active`
        return {"BillingMode": values.get("billingMode") or "PROVISIONED", **made}
    made["KeySchema"] = _key_schema(values)
    for ours, theirs in _INDEXES.items():
        if values.get(ours):
            made[theirs] = [_index(index, values) for index in values[ours]]
    return made


def _document(cloud: Cloud, answer: Properties, values: Properties) -> Properties:
    """Return a table as the program has it: keys and indexes by name, and when its items expire."""
    keys = {entry["KeyType"]: entry["AttributeName"] for entry in answer.get("KeySchema", ())}
    throughput, stream = answer.get("ProvisionedThroughput") or {}, answer.get("StreamSpecification") or {}
    billing = (answer.get("BillingModeSummary") or {}).get("BillingMode", "PROVISIONED")
    document = {
        **answer,
        "HashKey": keys.get("HASH"),
        "RangeKey": keys.get("RANGE"),
        "BillingMode": billing,
        "TableClass": (answer.get("TableClassSummary") or {}).get("TableClass"),
        "StreamEnabled": stream.get("StreamEnabled", False),
        "StreamViewType": stream.get("StreamViewType"),
        **{theirs: [_read_index(index, billing) for index in answer.get(theirs) or ()] for theirs in _INDEXES.values()},
    }
    if billing == "PROVISIONED":
        document |= {"ReadCapacity": throughput.get("ReadCapacityUnits")}
        document |= {"WriteCapacity": throughput.get("WriteCapacityUnits")}
    return {**document, **_expiry(cloud, answer["TableName"], values.get("region"))}


def _expiry(cloud: Cloud, table: str, region: str | None) -> Properties:
    found = cloud.call("dynamodb", "describe_time_to_live", region, TableName=table)["TimeToLiveDescription"]
    if not found.get("AttributeName"):
        return {}
    is_on = found["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
    return {"TimeToLiveSpecification": {"AttributeName": found["AttributeName"], "Enabled": is_on}}


def _read_index(index: Properties, billing: str) -> Properties:
    keys = {entry["KeyType"]: entry["AttributeName"] for entry in index["KeySchema"]}
    throughput = (index.get("ProvisionedThroughput") or {}) if billing == "PROVISIONED" else {}
    found = {
        "Name": index["IndexName"],
        "HashKey": keys.get("HASH"),
        "RangeKey": keys.get("RANGE"),
        "ProjectionType": index["Projection"]["ProjectionType"],
        "NonKeyAttributes": index["Projection"].get("NonKeyAttributes"),
        "ReadCapacity": throughput.get("ReadCapacityUnits"),
        "WriteCapacity": throughput.get("WriteCapacityUnits"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _until_active(cloud: Cloud, values: Properties, timeout: float) -> Properties:
    """Wait until the table is ready; add and remove indexes, of which AWS takes one at a time.

    An index of other keys is removed and made anew, as by the genuine provider.
    """
    deadline = time.monotonic() + timeout
    table = _active(cloud, values, deadline)
    wished = {index["name"]: _index(index, values) for index in values.get("globalSecondaryIndexes") or ()}
    live = {index["IndexName"]: index for index in table.get("GlobalSecondaryIndexes") or ()}
    kept = {name for name in live.keys() & wished.keys() if _is_same(live[name], wished[name])}
    for name in live.keys() - kept:
        table = _change_index(cloud, values, {"Delete": {"IndexName": name}}, deadline)
    for name in wished.keys() - kept:
        table = _change_index(cloud, values, {"Create": wished[name]}, deadline)
    return _document(cloud, table, values)


def _is_same(live: Properties, wished: Properties) -> bool:
    """Return whether an index has the keys and the projection that it should have."""
    projections = [{**index["Projection"], "NonKeyAttributes": None} for index in (live, wished)]
    attributes = [sorted(index["Projection"].get("NonKeyAttributes") or ()) for index in (live, wished)]
    keys = [sorted(map(str, index["KeySchema"])) for index in (live, wished)]
    return all(one == other for one, other in (projections, attributes, keys))


def _change_index(cloud: Cloud, values: Properties, change: Properties, deadline: float) -> Properties:
    attributes = [{"AttributeName": one["name"], "AttributeType": one["type"]} for one in values["attributes"]]
    request = {"GlobalSecondaryIndexUpdates": [change], "AttributeDefinitions": attributes}
    cloud.call("dynamodb", "update_table", values.get("region"), TableName=values["name"], **request)
    return _active(cloud, values, deadline)


def _active(cloud: Cloud, values: Properties, deadline: float) -> Properties:
    step = 0.02
    while True:
        answer = cloud.call("dynamodb", "describe_table", values.get("region"), TableName=values["name"])
        table: Properties = answer["Table"]
        states = [table["TableStatus"], *(index["IndexStatus"] for index in table.get("GlobalSecondaryIndexes") or ())]
        if set(states) == {"ACTIVE"}:
            return table
        if time.monotonic() > deadline:
            raise ProviderError(f"table {values['name']} is not ready: {', '.join(states)}")
        pause(step)
        step = min(step * 2, 0.5)


def _until_gone(cloud: Cloud, values: Properties, timeout: float) -> None:
    deadline, step = time.monotonic() + timeout, 0.02
    while True:
        try:
            cloud.call("dynamodb", "describe_table", values.get("region"), TableName=values["name"])
        except CallError as error:
            if error.missing:
                return
            raise
        if time.monotonic() > deadline:
            raise ProviderError(f"table {values['name']} was still there after {timeout:g} s")
        pause(step)
        step = min(step * 2, 0.5)


_ATTRIBUTE = {
    "name": string("AttributeName", required=True),
    "type": string("AttributeType", required=True, one_of=("S", "N", "B")),
}
_PROJECTION = {
    "name": string(required=True),
    "projectionType": string(required=True, one_of=("ALL", "KEYS_ONLY", "INCLUDE")),
    "nonKeyAttributes": strings(unordered=True),
}
_VIEWS = ("KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES")
_capacity: Any = integer(computed=True, between=Range(1, 1_000_000))

TABLE = ResourceType(
    "aws:dynamodb/table:Table",
    service="dynamodb",
    documentation="https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html",
    identity="{name}",
    name=AutoName("name", 255),
    properties={
        "name": string("TableName", computed=True, replace=True),
        "attributes": nested(_ATTRIBUTE, "AttributeDefinitions", many=True, unordered=True, computed=True),
        "hashKey": string(computed=True, replace=True),
        "rangeKey": string(replace=True),
        "billingMode": string(default="PROVISIONED", one_of=("PROVISIONED", "PAY_PER_REQUEST")),
        "readCapacity": _capacity,
        "writeCapacity": _capacity,
        "globalSecondaryIndexes": nested(
            {
                **_PROJECTION,
                "hashKey": string(computed=True, length=Range(1, 255)),
                "rangeKey": string(),
                "readCapacity": _capacity,
                "writeCapacity": _capacity,
            },
            ("GlobalSecondaryIndexes", "GlobalSecondaryIndexUpdates"),
            many=True,
            unordered=True,
            computed=True,
        ),
        "localSecondaryIndexes": nested(
            {
                **{name: dataclasses.replace(field, replace=True) for name, field in _PROJECTION.items()},
                "rangeKey": string(required=True, replace=True),
            },
            many=True,
            unordered=True,
            replace=True,
        ),
        "ttl": nested(
            {"attributeName": string(), "enabled": boolean()},
            "TimeToLiveSpecification",
            computed=True,
        ),
        "pointInTimeRecovery": nested(
            {"enabled": boolean("PointInTimeRecoveryEnabled", required=True)},
            "PointInTimeRecoverySpecification",
            computed=True,
            unread=True,
        ),
        "streamEnabled": boolean(computed=True),
        "streamViewType": string(computed=True, one_of=_VIEWS),
        "tableClass": string(computed=True, one_of=("STANDARD", "STANDARD_INFREQUENT_ACCESS")),
        "deletionProtectionEnabled": boolean(default=False),
        "arn": output(template="arn:{partition}:dynamodb:{region}:{account}:table/{name}"),
        "streamArn": output("LatestStreamArn", volatile="streamEnabled"),
        "streamLabel": output("LatestStreamLabel", volatile="streamEnabled"),
    },
    create=Call("create_table", "TableDescription"),
    read=Call("describe_table", "Table"),
    updates=("update_table",),
    settings=(
        Setting("ttl", "update_time_to_live"),
        Setting("pointInTimeRecovery", "update_continuous_backups"),
    ),
    delete=Call("delete_table"),
    amend_request=_request,
    to_document=_document,
    await_change=_until_active,
    await_deletion=_until_gone,
    tags=Tags(
        {"ResourceArn": "{arn}"}, "list_tags_of_resource", "tag_resource", "untag_resource", pairs=("Key", "Value")
    ),
    created="CreationDateTime",
)
