"""Outputs: what AWS answered, what the program set, and what follows from both; in previews the rest is unknown."""

from collections.abc import Mapping
from typing import Any

from scar_pulumi.stand_ins.aws import tags
from scar_pulumi.stand_ins.aws.calls import Cloud
from scar_pulumi.stand_ins.aws.documents import properties
from scar_pulumi.stand_ins.aws.model import Property, ResourceType
from scar_pulumi.stand_ins.aws.patterns import fill
from scar_pulumi.stand_ins.plugin.errors import ProviderError
from scar_pulumi.stand_ins.plugin.wire import UNKNOWN, Properties


def compose(
    cloud: Cloud, type_: ResourceType, inputs: Mapping[str, Any], document: Mapping[str, Any], olds: Mapping[str, Any]
) -> Properties:
    """The outputs after a create or update: inputs first, then AWS's answer, then what was known before."""
    found = {**olds, **properties(type_, document)}
    chosen = {name: value for name, value in found.items() if _chosen_by_aws(type_, name)}
    return _derived(cloud, type_, {**chosen, **_plain(inputs), **_objects(type_, inputs, found)})


def foresee_create(cloud: Cloud, type_: ResourceType, inputs: Mapping[str, Any]) -> Properties:
    """The outputs of a create, as far as a preview can tell."""
    outputs = _derived(cloud, type_, {**_plain(inputs), **_objects(type_, inputs, {}, UNKNOWN)})
    for name, property_ in type_.properties.items():
        if property_.output or (property_.computed and not property_.local):
            outputs.setdefault(name, UNKNOWN)
    return outputs


def foresee_update(cloud: Cloud, type_: ResourceType, inputs: Mapping[str, Any], olds: Mapping[str, Any]) -> Properties:
    """The outputs of an update, as far as a preview can tell."""
    kept = {name: value for name, value in olds.items() if _chosen_by_aws(type_, name)}
    outputs = _derived(cloud, type_, {**kept, **_plain(inputs), **_objects(type_, inputs, olds)})
    outputs |= {name: UNKNOWN for name, property_ in type_.properties.items() if _may_change(property_, inputs)}
    return outputs


def facts(cloud: Cloud, region: str | None) -> Properties:
    """Region, account and partition; the account is unknown while the cloud does not answer."""
    try:
        return dict(cloud.facts(region))
    except ProviderError:
        return {"region": region or cloud.configuration.region, "account": UNKNOWN, "partition": "aws"}


def _derived(cloud: Cloud, type_: ResourceType, outputs: Properties) -> Properties:
    known = facts(cloud, outputs.get("region"))
    if type_.regional:
        outputs.setdefault("region", known["region"])
    if type_.tags:
        outputs["tagsAll"] = tags.all_tags(cloud, outputs.get("tags"))
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
    """The program's objects with what AWS has put into them, or what stands for that while it is missing."""
    whole: Properties = {}
    for name, property_ in type_.properties.items():
        given, known = inputs.get(name), found.get(name) or {}
        told = {key: known.get(key, missing) for key, field in property_.fields.items() if field.output}
        if told and isinstance(given, dict):
            whole[name] = {**{key: value for key, value in told.items() if value is not None}, **given}
    return whole


def _may_change(property_: Property, inputs: Mapping[str, Any]) -> bool:
    return property_.volatile is not None and bool(property_.volatile == "always" or inputs.get(property_.volatile))


def _plain(inputs: Mapping[str, Any]) -> Properties:
    return {name: value for name, value in inputs.items() if not name.startswith("__")}
