"""Rules about functions on AWS: names, settings that depend on one another, the size of variables, AWS Batch."""

import json
import re
from typing import Any

from scar_foundation.batch_rules import environment_refusals, job_refusals
from scar_foundation.limits import GPU_INSTANCE_TYPE_PATTERN, LAMBDA_ENVIRONMENT_BYTES
from scar_pulumi.fdl.document import AwsOwner, Document, FunctionValues, Link, MapReduceValues, is_serverless
from scar_pulumi.fdl.kinds import Rule, is_reserved
from scar_pulumi.fdl.model import STAGES
from scar_pulumi.fdl.problems import join, quoted
from scar_pulumi.fdl.tables.names import (
    BATCH_ROLE,
    INSTANCE_ROLE,
    RESERVED_BY_LAMBDA,
    SECURITY_GROUP,
    SUBNET,
    VARIABLE_OF_LAMBDA,
)

_IN_THE_FUNCTIONS_REGION = {"cloudwatch": "logs are", "api_gateway": "the API is", "batch": "Batch is"}


def names_are_unique(document: Document) -> None:
    """Check that every function has a name of its own, also those that a MapReduce consists of."""
    seen: dict[str, str] = {}
    for function in document.on_aws():
        path, own = f"{function.settings_path}.name", function.settings.get("name")
        stages = STAGES if own is not None and isinstance(function, MapReduceValues) else ()
        for name in (own, *(f"{own}-{stage}" for stage in stages)):
            if name is not None and name in seen:
                message = f"'{name}' is also the name of another function ({document.line(seen[name])})"
                document.error(path, message, "give each function its own name")
            elif name is not None:
                seen[name] = path
    if not any(document.owners()) and not document.report.failed:
        document.warning("functions", "the file has no functions, so nothing is deployed")


def settings_agree(document: Document) -> None:
    """Check settings that depend on one another: timeouts, regions, file systems."""
    for function in document.on_aws():
        _threshold_is_below_timeout(document, function)
        region = function.settings.get("region")
        for section, what in _IN_THE_FUNCTIONS_REGION.items():
            its = function.values.get(section, {}).get("region")
            path = f"{function.path}.{section}.region"
            if region and its and region != its and document.is_own(path):
                document.warning(path, f"has no effect: {what} in the function's region, {region}")
        _file_system_has_a_network(document, function)


def _file_system_has_a_network(document: Document, function: AwsOwner) -> None:
    if function.settings.get("file_system") and not document.given(f"{function.path}.lambda.vpc"):
        path = f"{function.path}.lambda.file_system"
        document.error(path, "needs a VPC: file systems are mounted through its network", "add lambda.vpc")


def _threshold_is_below_timeout(document: Document, function: AwsOwner) -> None:
    timeout, threshold = function.settings.get("timeout"), function.container.get("timeout_threshold")
    if timeout is not None and threshold is not None and threshold >= timeout:
        path = f"{function.path}.lambda.container.timeout_threshold"
        message = f"{threshold} leaves the script no time within the timeout of {timeout} s"
        document.error(path, message, "lower it, or raise lambda.timeout")


# The shortest that a parameter with storage settings is called; `scar_pulumi.deploy.quotas` knows how it really is.
_PARAMETER = "ssm:/scar-pulumi/organization/p/s/"


def environment_fits(document: Document) -> None:
    """Check that all variables of a function together fit into Lambda's 4 KB."""
    inputs, outputs = _by_function(document.inputs), _by_function(document.outputs)
    for function in document.functions():
        told = configuration(function, inputs.get(function.path, []), outputs.get(function.path, []))
        own = _size({"SCAR_FUNCTION": _json(told)}) + _size_of_versions(told)
        inside = {} if _only_in_jobs(function) else _variables(function.container)
        size = _size({**_variables(function.settings), **inside}) + own
        if size > LAMBDA_ENVIRONMENT_BYTES:
            message = (
                f"the variables of '{function.name}' take {size:,} bytes, {own:,} of them for the supervisor; "
                f"Lambda's maximum is {LAMBDA_ENVIRONMENT_BYTES:,}"
            )
            document.error(_largest(function), message, "put large values into a file in the image or in a bucket")


def _only_in_jobs(function: FunctionValues) -> bool:
    """Return whether the container runs in AWS Batch only, so that its variables are not Lambda's."""
    return function.settings.get("execution_mode") == "batch"


def variables_have_names(document: Document) -> None:
    """Check that Lambda accepts the names of the container's variables, where it gets them."""
    for function in document.functions():
        if _only_in_jobs(function):
            continue
        for name in _variables(function.container):
            path = join(f"{function.path}.lambda.container.environment.Variables", name)
            if is_reserved(name, RESERVED_BY_LAMBDA):
                message = "is reserved: Lambda or the supervisor sets it"
                document.error(path, message, "choose another name, or execution_mode: batch")
            elif not re.fullmatch(VARIABLE_OF_LAMBDA.pattern, name):
                document.error(path, f"{quoted(name)} {VARIABLE_OF_LAMBDA.says}", VARIABLE_OF_LAMBDA.hint)


_ECR_IMAGE = re.compile(r"\d{12}\.dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\.(?:amazonaws\.com|on\.aws)(?:\.cn)?/.+")


def prepared_images_run(document: Document) -> None:
    """Check that an image that is taken as it is can run: from ECR, and by itself."""
    for function in document.functions():
        container = function.container
        if container.get("create_image", True):
            continue
        path = f"{function.path}.lambda.container.create_image"
        if not _ECR_IMAGE.fullmatch(container.get("image") or ""):
            # SCAR's own prepared images are in Docker Hub, with a supervisor of its own.
            container["create_image"] = True
            message = "has no effect: Lambda takes images as they are from ECR only, so one with the supervisor is made"
            document.warning(path, message)
            continue
        if function.uses_batch:
            message = "jobs need the supervisor, which is not in an image that is taken as it is"
            document.error(path, message, "remove it, or use execution_mode: lambda")
        if function.settings.get("init_script") is not None:
            message = "does not run in an image that is taken as it is"
            document.error(f"{function.path}.lambda.init_script", message, "remove it, or create_image: false")


def _by_function(links: list[Link]) -> dict[str, list[Link]]:
    found: dict[str, list[Link]] = {}
    for link in links:
        found.setdefault(link.owner.path, []).append(link)
    return found


def configuration(function: FunctionValues, inputs: list[Link], outputs: list[Link]) -> dict[str, Any]:
    """Return the configuration of the supervisor, which a variable holds."""
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
    return _size({"SCAR_STORAGE_VERSIONS": ",".join(f"{name}:1" for name in names)}) if names else 0


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


def batch_can_run(document: Document) -> None:
    """Check that a job fits into its compute environment, and that the environment names AWS resources correctly."""
    for function in document.on_aws():
        batch = function.values.get("batch", {})
        path = f"{function.path}.batch"
        if function.uses_batch:
            _batch_accepts(document, path, batch)
            _serverless_has_no_instances(document, path, batch)
            _batch_names(document, path, batch)
            _batch_machines(document, path, batch)
            _batch_nodes(document, path, batch)
            if isinstance(function, MapReduceValues) and batch.get("multi_node_parallel", {}).get("enabled"):
                message = "a task of a MapReduce runs on one node"
                document.error(f"{path}.multi_node_parallel", message, "remove it")
        elif document.given(path) and document.is_own(path):
            key = "engine" if isinstance(function, MapReduceValues) else "execution_mode"
            mode = function.settings.get(key, "lambda")
            document.warning(path, f"has no effect: the {_WORDS[key]}'s {key} is '{mode}'")


_WORDS = {"execution_mode": "function", "engine": "MapReduce"}
_PLACES = {
    **{f"{name}_vcpus": f"compute_resources.{name}_v_cpus" for name in ("min", "desired", "max")},
    "type": "compute_resources.type",
    "instance_types": "compute_resources.instance_types",
    "management": "type",
    "gpus": "enable_gpu",
    "number_nodes": "multi_node_parallel.number_nodes",
    "main_node_index": "multi_node_parallel.main_node_index",
}
"""Arguments of components that have another name below `batch`."""
_FDL_WORDS = {argument: place.rpartition(".")[2] for argument, place in _PLACES.items() if "vcpus" in argument}


def _batch_accepts(document: Document, path: str, batch: dict[str, Any]) -> None:
    """Report what Batch refuses of the environment and the job, in FDL's words."""
    for refusal in (*environment_refusals(_environment(batch)), *job_refusals(_job(batch))):
        message, hint = (_in_fdl(text) for text in (refusal.message, refusal.hint))
        document.error(f"{path}.{_PLACES.get(refusal.key, refusal.key)}", message, hint)


def _in_fdl(text: str) -> str:
    return re.sub(r"\b\w+_vcpus\b", lambda found: _FDL_WORDS.get(found[0], found[0]), text)


def _environment(batch: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of the compute environment; on Fargate without those that have no effect."""
    resources = batch.get("compute_resources", {})
    arguments = {"type": resources.get("type", "EC2"), "max_vcpus": resources.get("max_v_cpus")}
    if not is_serverless(batch):
        arguments |= {
            "min_vcpus": resources.get("min_v_cpus"),
            "desired_vcpus": resources.get("desired_v_cpus") or None,
            "instance_types": resources.get("instance_types"),
        }
    return {name: value for name, value in arguments.items() if value is not None}


def _job(batch: dict[str, Any]) -> dict[str, Any]:
    nodes = batch.get("multi_node_parallel", {})
    arguments = {
        "platform": "FARGATE" if is_serverless(batch) else "EC2",
        "vcpus": batch.get("vcpus"),
        "memory": batch.get("memory"),
        "gpus": 1 if batch.get("enable_gpu") else None,
        "number_nodes": nodes.get("number_nodes") if nodes.get("enabled") else None,
        "main_node_index": nodes.get("main_node_index"),
    }
    return {name: value for name, value in arguments.items() if value is not None}


_OF_INSTANCES = ("instance_types", "min_v_cpus", "desired_v_cpus", "instance_role")


def _serverless_has_no_instances(document: Document, path: str, batch: dict[str, Any]) -> None:
    resources = batch.get("compute_resources", {})
    for key in _OF_INSTANCES if is_serverless(batch) else ():
        where = f"{path}.compute_resources.{key}"
        if document.given(where) and document.is_own(where) and resources.get(key):
            document.warning(where, f"has no effect: {resources['type']} has no instances")


def _batch_names(document: Document, path: str, batch: dict[str, Any]) -> None:
    resources = batch.get("compute_resources", {})
    where = f"{path}.compute_resources"
    _matches(document, f"{path}.service_role", batch.get("service_role"), BATCH_ROLE)
    _matches(document, f"{where}.instance_role", resources.get("instance_role"), INSTANCE_ROLE)
    for key, rule in (("subnets", SUBNET), ("security_group_ids", SECURITY_GROUP)):
        for index, name in enumerate(resources.get(key, ())):
            _matches(document, f"{where}.{key}[{index}]", name, rule)


def _matches(document: Document, path: str, text: str | None, rule: Rule) -> None:
    if text is not None and not re.fullmatch(rule.pattern, text):
        document.error(path, f"{quoted(text)} {rule.says}", rule.hint)


def _batch_machines(document: Document, path: str, batch: dict[str, Any]) -> None:
    resources = batch.get("compute_resources", {})
    where = f"{path}.compute_resources"
    wanted, most = batch.get("vcpus"), resources.get("max_v_cpus")
    if wanted is not None and most is not None and wanted > most:
        message = f"{wanted} is more than max_v_cpus of the compute environment, {most}: no job could ever start"
        document.error(f"{path}.vcpus", message, "raise compute_resources.max_v_cpus")
    if is_serverless(batch):
        return
    types = resources.get("instance_types", [])
    if batch.get("enable_gpu") and types and not any(re.fullmatch(GPU_INSTANCE_TYPE_PATTERN, one) for one in types):
        message = f"none of {', '.join(types)} has a GPU: no job could ever start"
        document.error(f"{where}.instance_types", message, "use one that has, such as g4dn.xlarge")
    if resources.get("min_v_cpus"):
        message = f"costs money all the time: {resources['min_v_cpus']} vCPUs run even without jobs"
        document.warning(f"{where}.min_v_cpus", message, "use 0, and instances end with the last job")


def _batch_nodes(document: Document, path: str, batch: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/batch/latest/userguide/mnp-ce.html."""
    nodes, resources = batch.get("multi_node_parallel", {}), batch.get("compute_resources", {})
    count, most = nodes.get("number_nodes"), resources.get("max_v_cpus")
    if not nodes.get("enabled") or count is None:
        return
    kind = resources.get("type", "EC2")
    if kind == "SPOT":
        message = f"{kind} cannot run jobs on several nodes"
        document.error(f"{path}.compute_resources.type", message, "use EC2")
    if batch.get("type") == "UNMANAGED":
        document.error(f"{path}.type", "UNMANAGED environments cannot run jobs on several nodes", "use MANAGED")
    if is_serverless(batch):
        return
    each = batch.get("vcpus") or 1
    wanted, where = count * each, f"{path}.compute_resources.max_v_cpus"
    if most is not None and each <= most < wanted and document.given(where):
        message = f"{most} is less than the {wanted} vCPUs of {count} nodes: no job could ever start"
        document.error(where, message, "raise it, or leave it out")
