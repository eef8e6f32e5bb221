"""One operation on a resource: parameters by the table, the part of the answer that describes the resource."""

from collections.abc import Mapping
from typing import Any

from scar_pulumi.stand_ins.aws.calls import Cloud
from scar_pulumi.stand_ins.aws.documents import dig, request
from scar_pulumi.stand_ins.aws.model import Call, ResourceType
from scar_pulumi.stand_ins.aws.patterns import substitute
from scar_pulumi.stand_ins.plugin.wire import Properties


def perform(
    cloud: Cloud, type_: ResourceType, call: Call, values: Mapping[str, Any], more: Mapping[str, Any] | None = None
) -> Properties:
    """Call an operation with every property that it takes; returns its result, `{}` when there is none."""
    parameters = request(type_, values, cloud.members(type_.service, call.operation))
    parameters |= {**substitute(call.extra, values), **(more or {})}
    if type_.amend:
        parameters = type_.amend(call.operation, parameters, dict(values))
    answer = cloud.call(type_.service, call.operation, values.get("region"), **parameters)
    return dig(answer, call.result) or {}


def ask(cloud: Cloud, type_: ResourceType, call: Call, values: Mapping[str, Any]) -> Properties:
    """The whole answer to an operation that takes a resource's identity and nothing else of it."""
    keys = {name: values.get(name) for name in type_.keys}
    parameters = request(type_, keys, cloud.members(type_.service, call.operation))
    parameters |= substitute(call.extra, values)
    return cloud.call(type_.service, call.operation, values.get("region"), **parameters)
