"""Updates in place: the operations that take what changed, then settings with operations of their own, then tags."""

from collections.abc import Mapping, Set
from typing import Any

from scar_pulumi.stand_ins.aws import outputs, tags
from scar_pulumi.stand_ins.aws.calls import Cloud
from scar_pulumi.stand_ins.aws.diff import baseline, difference
from scar_pulumi.stand_ins.aws.documents import place_in, places
from scar_pulumi.stand_ins.aws.errors import CallError
from scar_pulumi.stand_ins.aws.model import Call, Property, ResourceType
from scar_pulumi.stand_ins.aws.operations import perform
from scar_pulumi.stand_ins.plugin.wire import Properties


def update(
    cloud: Cloud, type_: ResourceType, olds: Properties, old_inputs: Properties, news: Properties, *, timeout: float
) -> Properties:
    """Bring the live resource from its old inputs to the new ones; returns the outputs."""
    changed = difference(type_, baseline(type_, olds, old_inputs), news).changed
    values = {**outputs.facts(cloud, olds.get("region")), **_identity(type_, olds), **_cleared(type_, changed, news)}
    values |= {name: value for name, value in news.items() if value is not None and _may_send(type_, name)}
    document: Properties = {}
    for operation in _due(cloud, type_, changed):
        document = perform(cloud, type_, Call(operation, type_.create.result), values)
        if type_.settle:
            document = type_.settle(cloud, values, timeout) or document
    settings = {setting.property for setting in type_.settings} & changed
    apply_settings(cloud, type_, settings, {**values, **{name: news.get(name) for name in settings}}, fresh=False)
    if type_.tags:
        tags.write(cloud, type_, olds.get("tagsAll") or {}, tags.all_tags(cloud, news.get("tags")), {**olds, **values})
    return outputs.compose(cloud, type_, news, document, olds)


def apply_settings(
    cloud: Cloud, type_: ResourceType, names: Set[str], values: Mapping[str, Any], *, fresh: bool
) -> None:
    """Put or clear the named settings; on a fresh resource there is nothing to clear."""
    for setting in type_.settings:
        value = values.get(setting.property)
        if setting.property not in names or (fresh and value in (None, setting.unset, {}, [])):
            continue
        unset = value in (None, setting.unset, {}, [])
        try:
            perform(cloud, type_, Call(setting.clear if unset and setting.clear else setting.put), values)
        except CallError as error:
            if not (unset and error.missing):
                raise


def _due(cloud: Cloud, type_: ResourceType, changed: Set[str]) -> list[str]:
    if type_.rewrite:
        return [type_.create.operation] if changed - {"tags"} else []
    return [
        operation
        for operation in type_.updates
        if any(place_in(type_, name, cloud.members(type_.service, operation)) for name in changed)
    ]


def _may_send(type_: ResourceType, name: str) -> bool:
    """What only a replacement can change is named in an update only where it tells which resource is meant."""
    property_ = type_.properties.get(name)
    return property_ is None or not property_.replace or name in type_.keys or name == "region" or type_.rewrite


def _identity(type_: ResourceType, olds: Mapping[str, Any]) -> Properties:
    return {name: olds[name] for name, property_ in type_.properties.items() if property_.output and name in olds}


def _cleared(type_: ResourceType, changed: Set[str], news: Mapping[str, Any]) -> Properties:
    """What tells AWS that a property was taken away: its operations leave alone what they are not told."""
    gone = [name for name in changed if name in type_.properties and news.get(name) is None]
    return {name: _nothing(type_, name, type_.properties[name]) for name in gone}


def _nothing(type_: ResourceType, name: str, property_: Property) -> Any:
    if property_.kind == "object":
        in_list = any(step.isdigit() for place in places(type_, name, property_) for step in place.split("."))
        inner = {key: _EMPTY[field.kind] for key, field in property_.fields.items() if field.kind in _EMPTY}
        return {} if in_list else inner
    return _EMPTY.get(property_.kind)


_EMPTY: dict[str, Any] = {"string": "", "json": "", "list": [], "map": {}}
