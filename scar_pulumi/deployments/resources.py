"""What a stack has deployed, read from the resources in its state: for programs that use the components without FDL.

The resources of AWS are read, not the components' own outputs: their names are the same in every language.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

Resource = Mapping[str, Any]

_COMPONENT = "LambdaContainerFunction"
_MAPREDUCE = "MapReduce"
_MACHINE = "aws:sfn/stateMachine:StateMachine"
_FUNCTION = "aws:lambda/function:Function"
_JOB_DEFINITION = "aws:batch/jobDefinition:JobDefinition"
_JOB_LOGS = "/aws/batch/"
_LOG_GROUP = "scar:index:LogGroup"
_ROUTE = "aws:apigatewayv2/route:Route"


def completed(outputs: Mapping[str, Any], deployment: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stack's outputs with the functions, services and buckets that it does not export itself.

    An output `functions` that a program exports in a form of its own is replaced.
    """
    resources = list(deployment.get("resources") or ())
    ours = outputs if exports_functions(outputs) else {}
    functions = {**_functions(resources), **ours.get("functions", {})}
    buckets = ours.get("buckets") or _buckets(resources)
    clusters = ours.get("oscar") or _clusters(resources)
    mapreduces = ours.get("mapreduce") or _mapreduces(resources)
    if not (functions or buckets or clusters or mapreduces or ours):
        return dict(outputs)
    more = {name: value for name, value in (("oscar", clusters), ("mapreduce", mapreduces)) if value}
    return {**outputs, "functions": functions, "buckets": buckets, **more}


def exports_functions(outputs: Mapping[str, Any]) -> bool:
    """Return whether outputs are those of `scar_pulumi.deploy.deploy`."""
    functions = outputs.get("functions")
    return isinstance(functions, Mapping) and all(
        isinstance(entry, Mapping) and "arn" in entry for entry in functions.values()
    )


def functions_made(deployment: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name and the region of every function among a stack's resources."""
    for resource in deployment.get("resources") or ():
        arn = str((resource.get("outputs") or {}).get("arn") or "").split(":")
        if resource["type"] == _FUNCTION and len(arn) > 6:
            yield arn[6], arn[3]


def _functions(resources: Iterable[Resource]) -> dict[str, Any]:
    made = list(resources)
    endpoints = dict(_endpoints(made))
    found = {}
    parts = {one["urn"] for one in made if _kind(str(one.get("parent"))) == _MAPREDUCE}
    for resource in made:
        is_ours = resource["type"] == _FUNCTION and _kind(str(resource.get("parent"))) == _COMPONENT
        if is_ours and resource["parent"] not in parts:
            siblings = [one for one in made if one.get("parent") == resource["parent"]]
            name, entry = _function(resource, siblings)
            found[name] = {**entry, **endpoints.get(name, {})}
    return found


def _function(resource: Resource, siblings: Iterable[Resource]) -> tuple[str, dict[str, Any]]:
    outputs = resource.get("outputs") or {}
    name, settings = str(outputs.get("name")), _supervisor_settings(resource)
    groups = [
        str(one["outputs"]["log_group_name"]) for one in siblings if one["type"] == _LOG_GROUP and one.get("outputs")
    ]
    entry: dict[str, Any] = {
        "arn": str(outputs.get("arn") or ""),
        "logGroup": next((group for group in groups if not group.startswith(_JOB_LOGS)), None),
        "image": str(outputs.get("imageUri") or ""),
        "executionMode": settings.get("execution_mode") or "lambda",
        "inputs": [_path(path) for path in settings.get("inputs", ())],
        "outputs": [_path(path) for path in settings.get("outputs", ())],
    }
    batch = settings.get("batch") or {}
    if queue := batch.get("job_queue"):
        jobs = next((group for group in groups if group.startswith(_JOB_LOGS)), None)
        definition = next((one["outputs"]["arn"] for one in siblings if one["type"] == _JOB_DEFINITION), "")
        entry["batch"] = {"jobQueue": queue, "jobDefinition": batch.get("job_definition") or definition}
        entry["batch"]["logGroup"] = jobs
    return name, entry


def _mapreduces(resources: Iterable[Resource]) -> dict[str, Any]:
    made = list(resources)
    components = [one for one in made if _kind(str(one.get("urn"))) == _MAPREDUCE]
    return {name: entry for name, entry in (_mapreduce(one, made) for one in components) if name}


def _mapreduce(component: Resource, resources: Iterable[Resource]) -> tuple[str, dict[str, Any]]:
    """Return the name and the entry of a MapReduce; the name is empty where the state has no planner of it."""
    stages = {one["urn"] for one in resources if one.get("parent") == component["urn"]}
    made = [one for one in resources if one["type"] == _FUNCTION and one.get("parent") in stages]
    functions = {_mapping(_supervisor_settings(one).get("mapreduce")).get("stage"): one for one in made}
    if "plan" not in functions:
        return "", {}
    told, outputs = _supervisor_settings(functions["plan"]), component.get("outputs") or {}
    settings = _mapping(told.get("mapreduce"))
    properties = {stage: one.get("outputs") or {} for stage, one in functions.items()}
    machine = next((one for one in resources if one["type"] == _MACHINE and one.get("parent") == component["urn"]), {})
    definition = json.loads(_mapping(machine.get("outputs")).get("definition") or "{}")
    submitted = _mapping(_mapping(_mapping(definition.get("States")).get("Map")).get("Parameters"))
    return str(settings.get("name")), {
        "arn": str(_value(outputs, "state_machine_arn") or ""),
        "functions": {stage: str(one.get("arn") or "") for stage, one in properties.items()},
        "inputs": [_path(path) for path in told.get("inputs", ())],
        "outputs": [_path(path) for path in told.get("outputs", ())],
        "reducers": settings.get("reducers"),
        "engine": settings.get("engine"),
        "workBucket": settings.get("work"),
        "memory": {stage: one.get("memorySize") for stage, one in properties.items() if stage in ("map", "reduce")},
        "architecture": next(iter(_mapping(properties.get("map")).get("architectures") or ()), None),
        "batch": {"jobQueue": submitted.get("JobQueue")},
    }


def _supervisor_settings(resource: Resource) -> Mapping[str, Any]:
    """Return the function's `SCAR_FUNCTION`; empty where the state encrypts all its variables."""
    for properties in (resource.get("inputs") or {}, resource.get("outputs") or {}):
        text = _mapping(_mapping(properties.get("environment")).get("variables")).get("SCAR_FUNCTION")
        if isinstance(text, str):
            return dict(json.loads(text))
    return {}


def _path(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"provider": entry.get("storage_provider"), **entry}


def _endpoints(resources: Iterable[Resource]) -> Iterator[tuple[str, dict[str, Any]]]:
    made = list(resources)
    for resource in made:
        if _kind(str(resource.get("urn"))) == "ApiGatewayEndpoint":
            outputs = resource.get("outputs") or {}
            later = _mapping(_value(outputs, "async_urls"))
            routes = [one.get("outputs") or {} for one in made if one["type"] == _ROUTE and _under(one, resource)]
            for name, url in _mapping(_value(outputs, "function_urls")).items():
                yield name, {"url": url, "asyncUrl": later.get(name, ""), **_route_of(url, routes)}


def _route_of(url: str, routes: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return how calls of a URL are authorized, and the only method that it takes."""
    path = urlsplit(url).path
    keys = [(str(route.get("routeKey")).partition(" "), str(route.get("authorizationType"))) for route in routes]
    having = [(method, auth) for (method, _, place), auth in keys if path.endswith(place.replace("/{proxy+}", ""))]
    methods = {method for method, _ in having}
    auth = next((auth for _, auth in having if auth != "NONE"), "NONE")
    return {"auth": auth, **({"method": methods.pop()} if len(methods) == 1 and "ANY" not in methods else {})}


def _buckets(resources: Iterable[Resource]) -> list[dict[str, Any]]:
    found = [one.get("outputs") or {} for one in resources if _kind(str(one.get("urn"))) == "StorageBucket"]
    return [{"name": one["bucket"], "managed": bool(one.get("managed"))} for one in found if one.get("bucket")]


def _clusters(resources: Iterable[Resource]) -> dict[str, Any]:
    """Return OSCAR clusters by their host, with the services that the stack has on them."""
    clusters: dict[str, Any] = {}
    made = list(resources)
    for resource in made:
        if _kind(str(resource.get("urn"))) != "OscarService":
            continue
        outputs = resource.get("outputs") or {}
        if not _value(outputs, "service_name"):  # its creation failed
            continue
        endpoint = str(outputs.get("endpoint") or "")
        registered = next((one.get("inputs") or {} for one in made if one.get("parent") == resource["urn"]), {})
        cluster = clusters.setdefault(
            urlsplit(endpoint).hostname or endpoint,
            {
                "endpoint": endpoint,
                "user": registered.get("username") or "oscar",
                "password": registered.get("password"),
                "verify": registered.get("verify_certificate"),
                "services": {},
            },
        )
        cluster["services"][str(_value(outputs, "service_name"))] = {
            "synchronous": _value(outputs, "synchronous"),
            "runUrl": _value(outputs, "run_url"),
            "jobUrl": _value(outputs, "job_url"),
            "token": outputs.get("token"),
        }
    return clusters


def _value(outputs: Mapping[str, Any], name: str) -> Any:
    """Return an output of a component by its name in Python, which programs in other languages write in camel case."""
    first, *rest = name.split("_")
    return outputs.get(name, outputs.get(first + "".join(map(str.capitalize, rest))))


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping of a state; an empty one for what is missing or masked as a secret."""
    return value if isinstance(value, Mapping) else {}


def _kind(urn: str) -> str:
    """Return the last part of a resource's own type, such as `StorageBucket` of `scar:index:StorageBucket`."""
    parts = urn.split("::")
    return parts[2].rpartition("$")[2].rpartition(":")[2] if len(parts) > 3 else ""


def _under(resource: Resource, component: Resource) -> bool:
    return resource.get("parent") == component.get("urn")
