"""Rules about functions: their names, and settings that depend on one another."""

from scar_pulumi.fdl._document import Document, FunctionValues

_PARTS = {"cloudwatch": "logs are", "api_gateway": "the API is", "batch": "Batch is"}


def names_are_unique(document: Document) -> None:
    """Every function has a name of its own."""
    seen: dict[str, str] = {}
    for function in document.functions():
        path, name = f"{function.path}.lambda.name", function.settings.get("name")
        if name is None:
            continue
        if name in seen:
            message = f"'{name}' is the name of another function too ({document.line(seen[name])})"
            document.error(path, message, "give each function its own name")
        seen.setdefault(name, path)
    if not any((*document.functions(), *document.services())) and not document.report.failed:
        document.warning("functions", "the file has no functions, so nothing is deployed")


def settings_agree(document: Document) -> None:
    """Time kept for outputs is less than the timeout, and logs are where the function is."""
    for function in document.functions():
        _threshold_is_below_timeout(document, function)
        region = function.settings.get("region")
        for section, what in _PARTS.items():
            its = function.values.get(section, {}).get("region")
            path = f"{function.path}.{section}.region"
            if region and its and region != its and document.is_own(path):
                document.warning(path, f"has no effect: {what} in the function's region, {region}")
        _file_system_has_a_network(document, function)


def _file_system_has_a_network(document: Document, function: FunctionValues) -> None:
    if function.settings.get("file_system") and not document.given(f"{function.path}.lambda.vpc"):
        path = f"{function.path}.lambda.file_system"
        document.error(path, "needs a VPC: file systems are mounted through its network", "give lambda.vpc, too")


def _threshold_is_below_timeout(document: Document, function: FunctionValues) -> None:
    timeout, threshold = function.settings.get("timeout"), function.container.get("timeout_threshold")
    if timeout is not None and threshold is not None and threshold >= timeout:
        path = f"{function.path}.lambda.container.timeout_threshold"
        message = f"{threshold} leaves no time of the timeout of {timeout} (s) for the script"
        document.error(path, message, "lower it, or raise lambda.timeout")
