"""The rule on the size of a function's environment."""

import json
from typing import Any

from scar_pulumi.fdl._document import Document, FunctionValues, Link

# Measured as JSON, and shared by the user's variables with the supervisor's SCAR_FUNCTION.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_MOST_BYTES = 4096
# The parameter of a storage's settings, as long as names of projects and stacks are likely to make it.
_PARAMETER = "ssm:/scar-pulumi/organization/a-long-project-name/stack-name/"


def environment_fits(document: Document) -> None:
    """All variables of a function together fit into Lambda's 4 KB."""
    inputs, outputs = _by_function(document.inputs), _by_function(document.outputs)
    for function in document.functions():
        configuration = _configuration(function, inputs.get(function.path, []), outputs.get(function.path, []))
        own = _size({"SCAR_FUNCTION": _json(configuration)}) + _size_of_versions(configuration)
        size = _size({**_variables(function.settings), **_variables(function.container)}) + own
        if size > _MOST_BYTES:
            message = (
                f"the variables of '{function.name}' take {size:,} bytes, {own:,} of them for the supervisor; "
                f"Lambda's maximum is {_MOST_BYTES:,}"
            )
            document.error(_largest(function), message, "put large values into a file in the image or in a bucket")


def _by_function(links: list[Link]) -> dict[str, list[Link]]:
    found: dict[str, list[Link]] = {}
    for link in links:
        found.setdefault(link.owner.path, []).append(link)
    return found


def _configuration(function: FunctionValues, inputs: list[Link], outputs: list[Link]) -> dict[str, Any]:
    """What the supervisor is told through its variable."""
    configuration = {
        "name": function.name,
        "log_level": function.settings.get("log_level"),
        "log_format": "json" if function.settings.get("log_format") == "json" else None,
        "file_stage_in": function.settings.get("file_stage_in"),
        "asynchronous_http": bool(function.values.get("api_gateway", {}).get("name")),
        "timeout_threshold": function.container.get("timeout_threshold", 10),
        "inputs": [_place(link) for link in inputs],
        "outputs": [_place(link) for link in outputs],
        "storage_providers": {name: _PARAMETER + name for name in _providers([*inputs, *outputs])},
        "page": _page(function),
    }
    return {key: value for key, value in configuration.items() if value}


def _providers(links: list[Link]) -> list[str]:
    names = {f"{link.place.provider}.{link.place.provider_id}" for link in links}
    return sorted(names - {"s3.default"})


def _size_of_versions(configuration: dict[str, Any]) -> int:
    names = configuration.get("storage_providers", ())
    return _size({"SCAR_STORAGE_VERSIONS": ",".join(f"{name}:999" for name in names)}) if names else 0


def _page(function: FunctionValues) -> dict[str, Any]:
    has_one = function.values.get("api_gateway", {}).get("ui")
    return {"description": function.settings.get("description", ""), "token": False} if has_one else {}


def _place(link: Link) -> dict[str, Any]:
    place = link.place
    names = {"prefix": place.prefix, "suffix": place.suffix, "per_request": place.per_request}
    return {
        "storage_provider": f"{place.provider}.{place.provider_id}",
        "path": str(place),
        **{key: value for key, value in names.items() if value},
    }


def _variables(section: dict[str, Any]) -> dict[str, str]:
    variables: dict[str, str] = section.get("environment", {}).get("Variables", {})
    return variables


def _size(variables: dict[str, str]) -> int:
    return len(_json(variables).encode("utf-8", "surrogatepass"))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _largest(function: FunctionValues) -> str:
    inside = _size(_variables(function.container)) > _size(_variables(function.settings))
    return f"{function.path}.lambda{'.container' if inside else ''}.environment.Variables"
