"""Operations on one resource: parameters by its table, the part of the answer that describes it, its tags."""

from collections.abc import Mapping
from typing import Any

from scar_foundation.plugin.values import UNKNOWN, Properties
from scar_pulumi.stand_ins.aws.cloud import CallError, Cloud
from scar_pulumi.stand_ins.aws.documents import dig, put, request
from scar_pulumi.stand_ins.aws.model import Call, ResourceType, Tags, substitute


def perform(
    cloud: Cloud, type_: ResourceType, call: Call, values: Mapping[str, Any], more: Mapping[str, Any] | None = None
) -> Properties:
    """Call an operation with every property that it takes; return its result, `{}` when there is none."""
    parameters = request(type_, values, cloud.members(type_.service, call.operation))
    parameters |= {**substitute(call.extra, values), **(more or {})}
    if type_.amend_request:
        parameters = type_.amend_request(call.operation, parameters, dict(values))
    answer = cloud.call(type_.service, call.operation, values.get("region"), **parameters)
    return dig(answer, call.result) or {}


def ask(cloud: Cloud, type_: ResourceType, call: Call, values: Mapping[str, Any]) -> Properties:
    """Return the whole answer to an operation that takes a resource's identity and nothing else of it."""
    keys = {name: values.get(name) for name in type_.keys}
    parameters = request(type_, keys, cloud.members(type_.service, call.operation))
    parameters |= substitute(call.extra, values)
    return cloud.call(type_.service, call.operation, values.get("region"), **parameters)


TagMap = dict[str, str]


def all_tags(cloud: Cloud, tags: Any) -> Any:
    """Return `tagsAll`: the provider's default tags, overridden by the resource's own, without the ignored ones."""
    if tags == UNKNOWN:
        return tags
    return cloud.configuration.observed({**cloud.configuration.default_tags, **(tags or {})})


def tags_for_create(type_: ResourceType, tags: Mapping[str, str], members: frozenset[str]) -> Properties:
    """Return the tags as a parameter of the create operation, where it takes them."""
    member = _member(members, "tags")
    return {member: _form(type_.tags, tags)} if type_.tags and member and tags else {}


def create_takes_tags(type_: ResourceType, members: frozenset[str]) -> bool:
    """Return whether the create operation takes tags itself."""
    return type_.tags is None or _member(members, "tags") is not None


def read_tags(cloud: Cloud, type_: ResourceType, document: Mapping[str, Any], values: Mapping[str, Any]) -> TagMap:
    """Return the live tags, from the document when they are in it, without AWS's own `aws:` tags."""
    if type_.tags is None:
        return {}
    live = document.get(type_.tags.at)
    if live is None:
        live = _fetch(cloud, type_, type_.tags, values)
    if type_.tags.pairs and isinstance(live, list):
        key, value = type_.tags.pairs
        live = {pair[key]: pair.get(value, "") for pair in live}
    return cloud.configuration.observed({key: value for key, value in live.items() if not key.startswith("aws:")})


def write_tags(cloud: Cloud, type_: ResourceType, old: TagMap, new: TagMap, values: Mapping[str, Any]) -> None:
    """Bring the live tags from `old` to `new`."""
    tags = type_.tags
    if tags is None or old == new:
        return
    by, region = substitute(tags.by, values), values.get("region")
    gone = [key for key in old if key not in new]
    if "." in tags.at:  # The whole set at once.
        whole: Properties = dict(by)
        put(whole, tags.at, _form(tags, new))
        cloud.call(type_.service, tags.add, region, **whole)
        return
    if gone and tags.remove:
        members = cloud.members(type_.service, tags.remove)
        # EC2 takes the tags themselves.
        keys = {member: gone} if (member := _member(members, "tagkeys")) else {"Tags": [{"Key": key} for key in gone]}
        cloud.call(type_.service, tags.remove, region, **by, **keys)
    if changed := {key: value for key, value in new.items() if old.get(key) != value}:
        member = _member(cloud.members(type_.service, tags.add), "tags") or "Tags"
        cloud.call(type_.service, tags.add, region, **by, **{member: _form(tags, changed)})


def _fetch(cloud: Cloud, type_: ResourceType, tags: Tags, values: Mapping[str, Any]) -> Any:
    try:
        answer = cloud.call(type_.service, tags.get, values.get("region"), **substitute(tags.by, values))
    except CallError as error:
        if error.missing:
            return {}
        raise
    member = tags.at.rpartition(".")[2]
    return dig(answer, _member(frozenset(answer), member.lower()) or member) or {}


def _form(tags: Tags | None, values: Mapping[str, str]) -> Any:
    if tags is None or tags.pairs is None:
        return dict(values)
    key, value = tags.pairs
    return [{key: name, value: text} for name, text in values.items()]


def _member(members: frozenset[str], name: str) -> str | None:
    return next((member for member in members if member.lower() == name), None)
