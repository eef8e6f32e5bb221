"""Reading live resources: for refresh, for import, and to take over what an interrupted create left."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scar_pulumi.stand_ins.aws import outputs, tags
from scar_pulumi.stand_ins.aws.calls import Cloud
from scar_pulumi.stand_ins.aws.check import DEFAULTS
from scar_pulumi.stand_ins.aws.diff import same
from scar_pulumi.stand_ins.aws.documents import dig, properties
from scar_pulumi.stand_ins.aws.errors import CallError
from scar_pulumi.stand_ins.aws.model import Call, ResourceType
from scar_pulumi.stand_ins.aws.operations import ask
from scar_pulumi.stand_ins.aws.patterns import fill, parse
from scar_pulumi.stand_ins.plugin.errors import ProviderError
from scar_pulumi.stand_ins.plugin.wire import Properties


@dataclass(frozen=True)
class Live:
    """A resource as it is: its id, outputs, the inputs that a program would have to give for it, and AWS's document."""

    id: str
    outputs: Properties
    inputs: Properties
    document: Properties


def read(cloud: Cloud, type_: ResourceType, id_: str, state: Properties, inputs: Properties) -> Live | None:
    """The live resource, or None when it does not exist. Without state the id alone finds it."""
    values = state or _from_id(type_, id_)
    values = {**outputs.facts(cloud, values.get("region")), **values}
    document = fetch(cloud, type_, values)
    if document is None:
        return None
    found = {**properties(type_, document), **_settings(cloud, type_, values)}
    kept = {name: value for name, value in values.items() if _stays(type_, name)}
    told = outputs.compose(cloud, type_, {**found, **kept}, {}, values)
    if type_.tags:
        all_tags = tags.read(cloud, type_, document, told)
        told |= {"tags": _own_tags(cloud, all_tags, inputs.get("tags") or {}), "tagsAll": all_tags}
    wished = _wished(type_, told, inputs)
    return Live(str(fill(type_.identity, told)), told, wished, document)


def fetch(cloud: Cloud, type_: ResourceType, values: Mapping[str, Any]) -> Properties | None:
    """AWS's document of a resource, or None when it does not exist."""
    answer = _ask(cloud, type_, type_.read, values)
    if answer is not None and type_.adapt:
        answer = type_.adapt(cloud, answer, dict(values))
    return answer


def _ask(cloud: Cloud, type_: ResourceType, call: Call, values: Mapping[str, Any]) -> Properties | None:
    try:
        answer = ask(cloud, type_, call, values)
    except CallError as error:
        if error.missing:
            return None
        raise
    found: Any = dig(answer, call.result)
    if call.where:
        field, wanted = call.where[0], fill(call.where[1], values)
        found = next((item for item in found or () if item.get(field) == wanted), None)
    return found if isinstance(found, dict) else None


def _settings(cloud: Cloud, type_: ResourceType, values: Mapping[str, Any]) -> Properties:
    found: Properties = {}
    for setting in type_.settings:
        answer = setting.get and _ask(cloud, type_, setting.get, values)
        value = answer and properties(type_, answer).get(setting.property)
        if value is not None:
            found[setting.property] = value
    return found


def _from_id(type_: ResourceType, id_: str) -> Properties:
    pattern = type_.lookup or type_.identity
    if (values := parse(pattern, id_)) is None:
        raise ProviderError(f"{id_!r} is not an id of {type_.token}; it looks like {pattern}")
    return dict(values)


def _stays(type_: ResourceType, name: str) -> bool:
    property_ = type_.properties.get(name)
    told_only_here = property_ is not None and name != "tags" and (property_.local or property_.unread)
    return told_only_here or name in type_.keys


def _own_tags(cloud: Cloud, live: Mapping[str, str], wished: Mapping[str, str]) -> dict[str, str]:
    default = cloud.configuration.default_tags
    return {key: value for key, value in live.items() if key in wished or default.get(key) != value}


def _wished(type_: ResourceType, outputs: Mapping[str, Any], inputs: Mapping[str, Any]) -> Properties:
    """The inputs for what is there: the program's own spelling where it means the same."""
    wished: Properties = {}
    for name, property_ in type_.properties.items():
        live, old = outputs.get(name), inputs.get(name)
        if property_.output:
            continue
        if old is not None and same(old, live, property_):
            wished[name] = old
        elif live is None:
            continue
        elif name in inputs or not inputs or not (property_.computed or same(None, live, property_)):
            wished[name] = live
    if not inputs:
        return {name: value for name, value in wished.items() if not same(None, value, type_.properties[name])}
    return {**wished, DEFAULTS: inputs.get(DEFAULTS, [])}
