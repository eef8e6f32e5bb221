"""The package schema of what is served, for `pulumi import` and `pulumi package get-schema`."""

from typing import Any

from scar_pulumi.stand_ins.aws.invokes import FUNCTIONS
from scar_pulumi.stand_ins.aws.model import Property, ResourceType
from scar_pulumi.stand_ins.aws.types import TYPES

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_TEXT_MAP = {"type": "object", "additionalProperties": _TEXT}
_ANYTHING = {"type": "object", "additionalProperties": {"$ref": "pulumi.json#/Any"}}

SETTINGS: dict[str, Any] = {
    "accessKey": {**_TEXT, "secret": True},
    "allowedAccountIds": _TEXTS,
    "assumeRoles": {"type": "array", "items": _ANYTHING},
    "defaultTags": _ANYTHING,
    "endpoints": {"type": "array", "items": _TEXT_MAP},
    "forbiddenAccountIds": _TEXTS,
    "ignoreTags": _ANYTHING,
    "region": _TEXT,
    "s3UsePathStyle": {"type": "boolean"},
    "secretKey": {**_TEXT, "secret": True},
    "skipCredentialsValidation": {"type": "boolean"},
    "skipMetadataApiCheck": {"type": "boolean"},
    "skipRegionValidation": {"type": "boolean"},
    "skipRequestingAccountId": {"type": "boolean"},
    "token": {**_TEXT, "secret": True},
}
"""What a provider that a program declares may be given.
https://www.pulumi.com/registry/packages/aws/api-docs/provider/#inputs"""

_PRIMITIVES = {"string": "string", "json": "string", "integer": "integer", "number": "number", "boolean": "boolean"}


def schema(version: str) -> dict[str, Any]:
    """See https://www.pulumi.com/docs/iac/guides/building-extending/packages/schema/."""
    types: dict[str, Any] = {}
    resources = {token: _resource(type_, types) for token, type_ in TYPES.items()}
    return {
        "name": "aws",
        "version": version,
        "description": "What the stand-in aws provider of scar-pulumi's local stacks serves.",
        "config": {"variables": SETTINGS},
        "provider": {"inputProperties": SETTINGS},
        "types": types,
        "resources": resources,
        "functions": {token: {} for token in FUNCTIONS},
    }


def _resource(type_: ResourceType, types: dict[str, Any]) -> dict[str, Any]:
    module, _, class_ = type_.token.rpartition(":")
    stem = f"{module.partition('/')[0]}/{class_}"
    specs = {name: _spec(property_, name, stem, types) for name, property_ in type_.properties.items()}
    return {
        "description": type_.documentation,
        "properties": specs,
        "inputProperties": {name: spec for name, spec in specs.items() if not type_.properties[name].output},
        "requiredInputs": [name for name, property_ in type_.properties.items() if property_.required],
    }


def _spec(property_: Property, name: str, stem: str, types: dict[str, Any]) -> dict[str, Any]:
    if property_.kind == "asset":
        return {"$ref": "pulumi.json#/Asset"}
    if property_.kind == "map":
        return {"type": "object", "additionalProperties": {"type": "string"}}
    if property_.fields:
        reference = _object(property_, f"{stem}{name[0].upper()}{name[1:]}", types)
        return {"type": "array", "items": reference} if property_.wrapped or property_.many else reference
    if property_.kind == "list":
        return {"type": "array", "items": {"type": "string"}}
    return {"type": "string" if property_.spelled else _PRIMITIVES[property_.kind]}


def _object(property_: Property, stem: str, types: dict[str, Any]) -> dict[str, Any]:
    token = f"{stem}:{stem.rpartition('/')[2]}"
    types[token] = {
        "type": "object",
        "properties": {name: _spec(field, name, stem, types) for name, field in property_.fields.items()},
        "required": [name for name, field in property_.fields.items() if field.required],
    }
    return {"$ref": f"#/types/{token}"}
