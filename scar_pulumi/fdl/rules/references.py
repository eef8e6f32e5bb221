"""The rule on values that stand elsewhere."""

import os

from scar_pulumi.fdl._document import Document


def references_exist(document: Document) -> None:
    """Variables of the environment that are referred to are set; the rest is known to a deployment only."""
    for path, reference in document.references:
        if reference.source == "env" and reference.name not in os.environ:
            message = f"the environment variable '{reference.name}' is not set"
            document.error(path, message, "set it where this command runs")
