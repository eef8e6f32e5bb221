"""Rules about quotas of AWS that a file meets as a whole: what single values make together.

Each quota stands in `scar_foundation.limits`, with its source. Sizes are those of the documents that a deployment
writes, with names of accounts, projects and stacks as long as they are likely to be.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from scar_foundation.limits import (
    BATCH_DEFINITION_BYTES,
    IAM_ROLE_POLICY_CHARACTERS,
    LAMBDA_POLICY_BYTES,
    S3_FILTER_CHARACTERS,
    SSM_STANDARD_BYTES,
)
from scar_foundation.notification_filters import encoded_filter
from scar_pulumi.fdl.document import Document, FunctionValues, Link
from scar_pulumi.fdl.problems import join
from scar_pulumi.fdl.references import split_references
from scar_pulumi.fdl.rules.events import filters

_POLICY_AROUND = 1800
"""Characters of a role's policy beside places of files and settings: log, network, failures, Batch."""
_ARN_AROUND = len('"arn:aws-us-gov:s3:::/*",')
_PARAMETER_AROUND = len(
    '"arn:aws-us-gov:ssm:*:123456789012:parameter/scar-pulumi/organization/project-name/stack-name/",'
)
_PERMISSION_AROUND = 420
"""Bytes of the permission for a bucket beside the bucket's name, twice, and the function's."""
_DEFINITION_AROUND = 2500
"""Bytes of a job definition beside its variables: image, roles, log, resources."""
_ENTRY_AROUND = len('{"name": "", "value": ""}, ')


def quotas_are_kept(document: Document) -> None:
    """Check everything of this module."""
    _settings_fit(document)
    _filters_fit(document)
    inputs, outputs = _by_owner(document.inputs), _by_owner(document.outputs)
    for function in document.functions():
        read, written = inputs.get(function.path, []), outputs.get(function.path, [])
        _role_policy_fits(document, function, read, written)
        _permissions_fit(document, function, read)
        _job_definition_fits(document, function, [*read, *written])


def _by_owner(links: list[Link]) -> dict[str, list[Link]]:
    found: dict[str, list[Link]] = {}
    for link in links:
        found.setdefault(link.owner.path, []).append(link)
    return found


def _settings_fit(document: Document) -> None:
    """Check the parameter that the settings of a provider become."""
    used = {(link.place.provider, link.place.provider_id) for link in (*document.inputs, *document.outputs)}
    for kind, name in sorted(used):
        settings = document.values.get("storage_providers", {}).get(kind, {}).get(name)
        size = len(json.dumps(_without_references(settings)).encode()) if settings else 0
        if size > SSM_STANDARD_BYTES:
            message = (
                f"the settings take {size:,} bytes; a parameter of AWS Systems Manager, which holds them, has at most "
                f"{SSM_STANDARD_BYTES:,}"
            )
            document.error(join(f"storage_providers.{kind}", name), message, "use a shorter token or password")


def _without_references(value: Any) -> Any:
    """Return settings as far as the file has them."""
    if isinstance(value, dict):
        return {key: _without_references(item) for key, item in value.items()}
    return (
        "".join(part for part in split_references(value) if isinstance(part, str)) if isinstance(value, str) else value
    )


def _filters_fit(document: Document) -> None:
    for link in document.inputs:
        texts = [text for one in filters(link) for text in one] if link.store == "s3" else []
        size = max((len(encoded_filter(text)) for text in texts), default=0)
        if size > S3_FILTER_CHARACTERS:
            message = f"takes {size:,} characters as S3 writes it; a notification's filter has at most "
            document.error(f"{link.path}.path", message + f"{S3_FILTER_CHARACTERS:,}", "use a shorter path")


def _role_policy_fits(document: Document, function: FunctionValues, read: list[Link], written: list[Link]) -> None:
    """Check the policy of the role that is generated: it names every place and every parameter."""
    if function.values.get("iam", {}).get("role"):
        return
    providers = {f"{link.place.provider}.{link.place.provider_id}" for link in (*read, *written)} - {"s3.default"}
    places = [place for links in (read, written) for place in {str(link.place) for link in links if _is_of_s3(link)}]
    size = _POLICY_AROUND + sum(len(_policy_text(place)) + _ARN_AROUND for place in places)
    size += sum(len(name) + _PARAMETER_AROUND for name in providers)
    if size > IAM_ROLE_POLICY_CHARACTERS:
        message = (
            f"the places of its files make the policy of its role about {size:,} characters long; "
            f"IAM allows {IAM_ROLE_POLICY_CHARACTERS:,}"
        )
        hint = "use folders that have others in them, split the function, or give iam.role"
        document.error(function.path, message, hint)


def _is_of_s3(link: Link) -> bool:
    return (link.place.provider, link.place.provider_id) == ("s3", "default")


def _policy_text(place: str) -> str:
    return json.dumps(place).strip('"').replace("*", "${*}").replace("?", "${?}")


def _permissions_fit(document: Document, function: FunctionValues, inputs: list[Link]) -> None:
    """Check the resource policy of a function: each bucket has a permission in it."""
    buckets = {link.place.bucket for link in inputs if _is_of_s3(link)}
    size = sum(_PERMISSION_AROUND + 2 * len(bucket) + len(function.name) for bucket in buckets)
    if size > LAMBDA_POLICY_BYTES:
        message = (
            f"{len(buckets)} buckets start '{function.name}'; their permissions take about {size:,} bytes, and Lambda "
            f"allows {LAMBDA_POLICY_BYTES:,} for a function"
        )
        document.error(f"{function.path}.lambda.input", message, "use folders of fewer buckets, or several functions")


def _job_definition_fits(document: Document, function: FunctionValues, links: list[Link]) -> None:
    if not function.uses_batch:
        return
    batch = function.values.get("batch", {})
    sections = (function.settings, function.container, batch)
    variables = {name: value for one in sections for name, value in _variables(one)}
    places = sum(len(json.dumps(str(link.place))) + 80 for link in links)
    size = _DEFINITION_AROUND + places + _size(variables.items())
    if size > BATCH_DEFINITION_BYTES:
        message = (
            f"the variables of '{function.name}' and the places of its files make its job definition about {size:,} "
            f"bytes large; AWS Batch allows {BATCH_DEFINITION_BYTES:,}"
        )
        document.error(f"{function.path}.batch", message, "put large values into a file in the image or in a bucket")


def _variables(section: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in (section.get("environment", {}).get("Variables", {}) or {}).items():
        yield name, str(value)


def _size(variables: Iterable[tuple[str, str]]) -> int:
    return sum(len(json.dumps([name, value])) + _ENTRY_AROUND for name, value in variables)
