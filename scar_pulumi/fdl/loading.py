"""Reading an FDL file: text, tree with positions, defaults and overrides, checks, data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scar_pulumi.fdl.checker import Checker, Missing
from scar_pulumi.fdl.document import Document, FunctionValues, ServiceValues, storage_path
from scar_pulumi.fdl.format_2019 import from_2019, is_2019_format
from scar_pulumi.fdl.layers import read_defaults, read_overrides, service_names, with_defaults, with_overrides
from scar_pulumi.fdl.model import (
    ApiGateway,
    Batch,
    ComputeResources,
    Fdl,
    FileSystem,
    Function,
    OscarService,
    StoragePath,
    Tokens,
    Vpc,
)
from scar_pulumi.fdl.problems import FdlError, Report
from scar_pulumi.fdl.rules import RULES
from scar_pulumi.fdl.tables import DOCUMENT
from scar_pulumi.fdl.tree import MapNode
from scar_pulumi.fdl.yaml_text import read_tree

_THRESHOLD = 10


def load(path: str | Path, overrides: Mapping[str, Any] | None = None, *, overrides_from: str = "--set") -> Fdl:
    """Read and check an FDL file.

    Args:
        path: The file; relative paths in it start at its directory.
        overrides: Values that win over the file's: "lambda.memory" for all functions,
            "functions.<name>.lambda.memory" for one. Text is read as the file would read it without quotes.
        overrides_from: What problems call the origin of the overrides.

    Raises:
        FdlError: The file cannot be read or has mistakes; all of them are in `problems`.
    """
    return build(resolve(path, overrides, overrides_from=overrides_from))


def resolve(path: str | Path, overrides: Mapping[str, Any] | None = None, *, overrides_from: str = "--set") -> Document:
    """The checked document that `load` makes data of, with every value's position."""
    report = Report()
    root = read_tree(Path(path), report)
    if root is None:
        raise FdlError(report.problems())
    if is_2019_format(root):
        root = from_2019(root, report)
    defaults = read_defaults(report)
    root = with_defaults(root, defaults) if defaults is not None else root
    given = read_overrides(overrides or {}, overrides_from, report, service_names(root))
    document = _check(with_overrides(root, given, report), Path(path), report)
    if report.failed:
        raise FdlError(report.problems())
    return document


def _fill_in(document: Document) -> None:
    """The one default that depends on another value."""
    for function in document.functions():
        timeout = function.settings.get("timeout")
        if timeout is not None and function.container:
            function.container.setdefault("timeout_threshold", min(_THRESHOLD, timeout // 2))


def _check(root: MapNode, path: Path, report: Report) -> Document:
    checker = Checker(report)
    values = checker.check(DOCUMENT, root, "")
    found = {} if isinstance(values, Missing) else values
    document = Document(path.absolute(), str(path), found, checker.places, report, references=checker.references)
    _fill_in(document)
    for rule in RULES:
        rule(document)
    return document


# Keys of a service that say how to reach and declare it; the others are what OSCAR is sent.
_NOT_SENT_TO_OSCAR = ("script", "image_file", "endpoint", "auth_user", "auth_password", "ssl_verify", "allow_loop")


def build(document: Document) -> Fdl:
    """The file as data; every default is in the document already."""
    return Fdl(
        path=document.path,
        functions=tuple(_function(document, function) for function in document.functions()),
        storage_providers=document.values.get("storage_providers", {}),
        warnings=document.report.problems(),
        oscar=tuple(_service(document, service) for service in document.services()),
        clusters=document.values.get("clusters", {}),
        places=document.places,
    )


def _function(document: Document, function: FunctionValues) -> Function:
    settings, container = function.settings, function.container
    script, image_file = settings.get("init_script"), container.get("image_file")
    return Function(
        name=settings["name"],
        description=settings["description"],
        memory=settings["memory"],
        timeout=settings["timeout"],
        ephemeral_storage=settings["ephemeral_storage"]["Size"],
        log_level=settings["log_level"],
        log_format=settings["log_format"],
        execution_mode=settings["execution_mode"],
        image=container.get("image"),
        image_file=document.absolute(image_file) if image_file is not None else None,
        init_script=document.absolute(script) if script is not None else None,
        environment=_variables(settings),
        container_environment=_variables(container),
        timeout_threshold=container["timeout_threshold"],
        input=_places(settings["input"]),
        output=_places(settings["output"]),
        tags=settings.get("tags", {}),
        role=function.values.get("iam", {}).get("role"),
        region=settings.get("region"),
        architecture=settings["architectures"][0],
        log_retention=function.values["cloudwatch"]["log_retention_policy_in_days"],
        allow_loop=settings["allow_loop"],
        file_stage_in=settings["file_stage_in"],
        path=function.path,
        vpc=_vpc(settings.get("vpc")),
        file_system=_file_system(settings.get("file_system")),
        api_gateway=_api_gateway(function.values["api_gateway"]),
        batch=_batch(function.values["batch"]) if function.uses_batch else None,
    )


def _service(document: Document, service: ServiceValues) -> OscarService:
    values = service.values
    script, image_file = values.get("script"), values.get("image_file")
    return OscarService(
        cluster=service.cluster,
        name=values["name"],
        path=service.path,
        script=document.absolute(script) if script is not None else None,
        image_file=document.absolute(image_file) if image_file is not None else None,
        input=_places(values["input"], service.name),
        output=_places(values["output"], service.name),
        definition={key: value for key, value in values.items() if key not in _NOT_SENT_TO_OSCAR},
        endpoint=values.get("endpoint"),
        auth_user=values.get("auth_user"),
        auth_password=values.get("auth_password"),
        ssl_verify=values["ssl_verify"],
        allow_loop=values["allow_loop"],
    )


def _places(entries: list[dict[str, Any]], service: str | None = None) -> tuple[StoragePath, ...]:
    return tuple(storage_path(entry, service) for entry in entries)


def _variables(section: dict[str, Any]) -> dict[str, str]:
    variables: dict[str, str] = section.get("environment", {}).get("Variables", {})
    return variables


def _vpc(values: dict[str, Any] | None) -> Vpc | None:
    if not values:
        return None
    return Vpc(tuple(values["SubnetIds"]), tuple(values["SecurityGroupIds"]))


def _file_system(entries: list[dict[str, Any]] | None) -> FileSystem | None:
    return FileSystem(entries[0]["Arn"], entries[0]["LocalMountPath"]) if entries else None


def _api_gateway(values: dict[str, Any]) -> ApiGateway | None:
    if not values.get("name"):
        return None
    authorization = values["method"]["authorizationType"]
    tokens = values.get("jwt")
    return ApiGateway(
        name=values["name"],
        http_method=values["http_method"],
        # An HTTP API knows a user pool as an issuer of tokens like any other.
        authorization="JWT" if authorization == "COGNITO_USER_POOLS" else authorization,
        path_part=values["path_part"],
        stage_name=values["stage_name"],
        ui=values["ui"],
        tokens=Tokens(tokens["issuer"], tuple(tokens["audience"]), tuple(tokens.get("scopes") or ()))
        if tokens
        else None,
        cors=values.get("cors") or {},
        throttling=values.get("throttling") or {},
        domain=values.get("domain") or {},
    )


def _batch(values: dict[str, Any]) -> Batch:
    nodes, resources = values["multi_node_parallel"], values["compute_resources"]
    return Batch(
        vcpus=values["vcpus"],
        memory=values["memory"],
        enable_gpu=values["enable_gpu"],
        environment=_variables(values),
        state=values["state"],
        type=values["type"],
        service_role=values.get("service_role"),
        compute_resources=ComputeResources(
            type=resources["type"],
            min_v_cpus=resources["min_v_cpus"],
            desired_v_cpus=resources["desired_v_cpus"],
            max_v_cpus=resources["max_v_cpus"],
            instance_types=tuple(resources["instance_types"]),
            subnets=tuple(resources["subnets"]),
            security_group_ids=tuple(resources["security_group_ids"]),
            instance_role=resources.get("instance_role"),
        ),
        number_nodes=nodes["number_nodes"] if nodes["enabled"] else None,
        main_node_index=nodes["main_node_index"],
    )
