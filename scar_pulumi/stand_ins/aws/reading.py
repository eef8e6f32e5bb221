"""What a resource is: its outputs after an operation or in a preview, and what is found when it is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scar_foundation.plugin.failures import ProviderError
from scar_foundation.plugin.provider import Found
from scar_foundation.plugin.values import UNKNOWN, Properties
from scar_pulumi.stand_ins.aws.cloud import CallError, Cloud
from scar_pulumi.stand_ins.aws.documents import dig, properties
from scar_pulumi.stand_ins.aws.inputs import DEFAULTS, means_same
from scar_pulumi.stand_ins.aws.model import Call, Property, ResourceType, fields_of, fill, parse
from scar_pulumi.stand_ins.aws.operations import all_tags, ask, read_tags


def compose(
    cloud: Cloud, type_: ResourceType, inputs: Mapping[str, Any], document: Mapping[str, Any], olds: Mapping[str, Any]
) -> Properties:
    """Return the outputs after a create or update: inputs first, then AWS's answer, then what was known before."""
    found = {**olds, **properties(type_, document)}
    chosen = {name: value for name, value in found.items() if _chosen_by_aws(type_, name)}
    return _derived(cloud, type_, {**chosen, **_visible(inputs), **_objects(type_, inputs, found)})


def foresee_create(cloud: Cloud, type_: ResourceType, inputs: Mapping[str, Any]) -> Properties:
    """Return the outputs of a create as far as a preview can tell."""
    outputs = _derived(cloud, type_, {**_visible(inputs), **_objects(type_, inputs, {}, UNKNOWN)})
    for name, property_ in type_.properties.items():
        if property_.output or (property_.computed and not property_.local):
            outputs.setdefault(name, UNKNOWN)
    return outputs


def foresee_update(cloud: Cloud, type_: ResourceType, inputs: Mapping[str, Any], olds: Mapping[str, Any]) -> Properties:
    """Return the outputs of an update as far as a preview can tell."""
    kept = {name: value for name, value in olds.items() if _chosen_by_aws(type_, name)}
    outputs = _derived(cloud, type_, {**kept, **_visible(inputs), **_objects(type_, inputs, olds)})
    outputs |= {name: UNKNOWN for name, property_ in type_.properties.items() if _may_change(property_, inputs)}
    return outputs


def facts(cloud: Cloud, region: str | None) -> Properties:
    """Return region, account and partition; the account is unknown while the cloud does not answer."""
    try:
        return dict(cloud.facts(region))
    except ProviderError:
        return {"region": region or cloud.configuration.region, "account": UNKNOWN, "partition": "aws"}


def _derived(cloud: Cloud, type_: ResourceType, outputs: Properties) -> Properties:
    known = facts(cloud, outputs.get("region"))
    if type_.regional:
        outputs.setdefault("region", known["region"])
    if type_.tags:
        outputs["tagsAll"] = all_tags(cloud, outputs.get("tags"))
    for name, property_ in type_.properties.items():
        if property_.template:
            outputs[name] = fill(property_.template, {**known, **outputs})
    return outputs


def _chosen_by_aws(type_: ResourceType, name: str) -> bool:
    property_ = type_.properties.get(name)
    return property_ is not None and (property_.output or property_.computed)


def _objects(
    type_: ResourceType, inputs: Mapping[str, Any], found: Mapping[str, Any], missing: str | None = None
) -> Properties:
    """Return the program's objects with what AWS has added to them, or with `missing` in its place."""
    whole: Properties = {}
    for name, property_ in type_.properties.items():
        given, known = inputs.get(name), found.get(name) or {}
        outputs = {key: known.get(key, missing) for key, field in property_.fields.items() if field.output}
        if outputs and isinstance(given, dict):
            whole[name] = {**{key: value for key, value in outputs.items() if value is not None}, **given}
    return whole


def _may_change(property_: Property, inputs: Mapping[str, Any]) -> bool:
    return property_.volatile is not None and bool(property_.volatile == "always" or inputs.get(property_.volatile))


def _visible(inputs: Mapping[str, Any]) -> Properties:
    return {name: value for name, value in inputs.items() if not name.startswith("__")}


@dataclass(frozen=True)
class Live(Found):
    """A resource as it is, with AWS's document of it."""

    document: Properties


def read(cloud: Cloud, type_: ResourceType, id_: str, state: Properties, inputs: Properties) -> Live | None:
    """Return the live resource, or None when it does not exist. Without state, its id alone identifies it."""
    values = identified(type_, id_, state) if state else _from_id(type_, id_)
    values = {**facts(cloud, values.get("region")), **values}
    document = fetch(cloud, type_, values)
    if document is None:
        return None
    found = {**properties(type_, document), **_settings(cloud, type_, values)}
    kept = {name: value for name, value in values.items() if _is_kept(type_, name)}
    outputs = compose(cloud, type_, {**found, **kept}, {}, values)
    if type_.tags:
        live = read_tags(cloud, type_, document, outputs)
        outputs |= {"tags": _own_tags(cloud, live, inputs.get("tags") or {}), "tagsAll": live}
    wished = _inferred_inputs(type_, outputs, inputs)
    return Live(str(fill(type_.identity, outputs)), outputs, wished, document)


def fetch(cloud: Cloud, type_: ResourceType, values: Mapping[str, Any]) -> Properties | None:
    """Return AWS's document of a resource, or None when it does not exist."""
    answer = _ask(cloud, type_, type_.read, values)
    if answer is not None and type_.to_document:
        answer = type_.to_document(cloud, answer, dict(values))
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


def identified(type_: ResourceType, id_: str, state: Properties) -> Properties:
    """Return a state with what only the id tells: the genuine plugin keeps no `apiId` or `routeId` beside the id."""
    missing = [name for name in fields_of(type_.identity) if name in type_.keys and state.get(name) is None]
    told = (parse(type_.identity, id_) or {}) if missing and id_ else {}
    return {**{name: told[name] for name in missing if name in told}, **state}


def _from_id(type_: ResourceType, id_: str) -> Properties:
    pattern = type_.lookup or type_.identity
    if (values := parse(pattern, id_)) is None:
        raise ProviderError(f"{id_!r} is not an id of {type_.token}; it looks like {pattern}")
    return dict(values)


def _is_kept(type_: ResourceType, name: str) -> bool:
    property_ = type_.properties.get(name)
    only_in_state = property_ is not None and name != "tags" and (property_.local or property_.unread)
    return only_in_state or name in type_.keys


def _own_tags(cloud: Cloud, live: Mapping[str, str], wished: Mapping[str, str]) -> dict[str, str]:
    default = cloud.configuration.default_tags
    return {key: value for key, value in live.items() if key in wished or default.get(key) != value}


def _inferred_inputs(type_: ResourceType, outputs: Mapping[str, Any], inputs: Mapping[str, Any]) -> Properties:
    """Return the inputs for what exists, in the program's own spelling where it means the same."""
    wished: Properties = {}
    for name, property_ in type_.properties.items():
        live, old = outputs.get(name), inputs.get(name)
        if property_.output:
            continue
        if old is not None and means_same(old, live, property_):
            wished[name] = old
        elif live is None:
            continue
        elif name in inputs or not inputs or not (property_.computed or means_same(None, live, property_)):
            wished[name] = live
    if not inputs:
        return {name: value for name, value in wished.items() if not means_same(None, value, type_.properties[name])}
    return {**wished, DEFAULTS: inputs.get(DEFAULTS, [])}
