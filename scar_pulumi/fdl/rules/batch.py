"""Rules about AWS Batch: numbers that fit one another, and names that exist only where Batch is used."""

import re
from typing import Any

from scar_pulumi.fdl._document import Document
from scar_pulumi.fdl._kinds import Rule
from scar_pulumi.fdl._words import quoted
from scar_pulumi.fdl.tables.aws_names import BATCH_ROLE, INSTANCE_ROLE, SECURITY_GROUP, SUBNET

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/accelerated-computing-instances.html
_WITH_GPU = re.compile(r"(?:p|g)[0-9][a-z0-9-]*(?:\.[a-z0-9-]+)?")


def batch_can_run(document: Document) -> None:
    """A job fits into its compute environment, which names things of AWS as AWS does."""
    for function in document.functions():
        batch = function.values.get("batch", {})
        path = f"{function.path}.batch"
        _numbers(document, path, batch)
        if function.uses_batch:
            _names(document, path, batch)
            _machines(document, path, batch)
            _nodes(document, path, batch)
        elif document.given(path) and document.is_own(path):
            mode = function.settings.get("execution_mode", "lambda")
            document.warning(path, f"has no effect: the function's execution_mode is '{mode}'")


def _numbers(document: Document, path: str, batch: dict[str, Any]) -> None:
    resources = batch.get("compute_resources", {})
    least, wanted, most = (resources.get(f"{name}_v_cpus") for name in ("min", "desired", "max"))
    where = f"{path}.compute_resources"
    if least is not None and most is not None and least > most:
        document.error(f"{where}.min_v_cpus", f"{least} is more than max_v_cpus, {most}", "raise max_v_cpus")
    elif wanted and most is not None and least is not None and not least <= wanted <= most:
        message = f"{wanted} is not between min_v_cpus, {least}, and max_v_cpus, {most}"
        document.error(f"{where}.desired_v_cpus", message, "leave it out: Batch chooses it")
    nodes = batch.get("multi_node_parallel", {})
    count, main = nodes.get("number_nodes"), nodes.get("main_node_index")
    if nodes.get("enabled") and count is not None and main is not None and main >= count:
        message = f"{main} is none of the nodes 0 to {count - 1}"
        document.error(f"{path}.multi_node_parallel.main_node_index", message)


def _names(document: Document, path: str, batch: dict[str, Any]) -> None:
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


def _machines(document: Document, path: str, batch: dict[str, Any]) -> None:
    resources = batch.get("compute_resources", {})
    where = f"{path}.compute_resources"
    wanted, most = batch.get("vcpus"), resources.get("max_v_cpus")
    if wanted is not None and most is not None and wanted > most:
        message = f"{wanted} is more than max_v_cpus of the compute environment, {most}: no job could ever start"
        document.error(f"{path}.vcpus", message, "raise compute_resources.max_v_cpus")
    types = resources.get("instance_types", [])
    if batch.get("enable_gpu") and types and not any(_WITH_GPU.fullmatch(one) for one in types):
        message = f"none of {', '.join(types)} has a GPU: no job could ever start"
        document.error(f"{where}.instance_types", message, "choose one that has, such as g4dn.xlarge")
    if batch.get("enable_gpu") and str(resources.get("type", "")).startswith("FARGATE"):
        document.error(f"{where}.type", "has no GPUs", "use EC2 or SPOT")
    if resources.get("min_v_cpus"):
        message = f"costs money all the time: {resources['min_v_cpus']} vCPUs run even without jobs"
        document.warning(f"{where}.min_v_cpus", message, "0 lets instances end with the last job")


def _nodes(document: Document, path: str, batch: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/batch/latest/userguide/mnp-ce.html."""
    nodes, resources = batch.get("multi_node_parallel", {}), batch.get("compute_resources", {})
    count, most = nodes.get("number_nodes"), resources.get("max_v_cpus")
    if not nodes.get("enabled") or count is None:
        return
    kind = resources.get("type", "EC2")
    if kind != "EC2":
        message = f"{kind} runs no jobs on several nodes"
        document.error(f"{path}.compute_resources.type", message, "use EC2")
    if batch.get("type") == "UNMANAGED":
        document.error(f"{path}.type", "UNMANAGED environments run no jobs on several nodes", "use MANAGED")
    each = batch.get("vcpus") or 1
    wanted, where = count * each, f"{path}.compute_resources.max_v_cpus"
    if most is not None and each <= most < wanted and document.given(where):
        message = f"{most} is less than the {wanted} vCPUs of {count} nodes: no job could ever start"
        document.error(where, message, "raise it, or leave it out")
