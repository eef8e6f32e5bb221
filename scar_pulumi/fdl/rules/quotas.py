"""Rules about quotas of AWS that single values meet; `scar_pulumi.deploy.quotas` has those of whole documents.

Each quota stands in `scar_foundation.limits`, with its source.
"""

import json
from typing import Any

from scar_foundation.limits import (
    S3_FILTER_CHARACTERS,
    SSM_STANDARD_BYTES,
)
from scar_foundation.notification_filters import encoded_filter
from scar_pulumi.fdl.document import Document
from scar_pulumi.fdl.problems import join
from scar_pulumi.fdl.references import split_references
from scar_pulumi.fdl.rules.events import filters


def quotas_are_kept(document: Document) -> None:
    """Check everything of this module."""
    _settings_fit(document)
    _filters_fit(document)


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
