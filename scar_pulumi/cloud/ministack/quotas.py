"""AWS's quotas on what configures a service, which MiniStack does not have: what AWS refuses is refused here, too.

The numbers and their sources are in `scar_foundation.limits`.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from scar_foundation import limits
from scar_pulumi.cloud.asgi import Request, Response
from scar_pulumi.cloud.service import ServiceError, rest_json_error
from scar_pulumi.cloud.signature import Caller, authorization, caller_of

Ask = Callable[[Request], Awaitable[Response]]
Values = Mapping[str, Any]


async def refusal(service: str, operation: str, request: Request, ask: Ask) -> Response | None:
    """Return AWS's answer to a request beyond a quota; None when the request may go on. `ask` asks MiniStack."""
    operation = operation or _lambda_operation(service, request)
    check = _CHECKS.get((service, operation))
    if check is None:
        return None
    try:
        await check(_values(request), request, ask)
    except ServiceError as error:
        return _WORDINGS[service](error)
    return None


_FUNCTIONS = re.compile(
    r"/2015-03-31/functions(?:/(?P<function>[^/]+)/(?P<part>configuration|policy))?/?|/2017-03-31/(?P<tags>tags)/.+"
)


def _lambda_operation(service: str, request: Request) -> str:
    found = _FUNCTIONS.fullmatch(request.path) if service == "lambda" else None
    return f"{request.method} {found['part'] or found['tags'] or ''}".strip() if found else ""


def _values(request: Request) -> Values:
    """Return the parameters of a request, in whichever of AWS's protocols it is; nothing where it is malformed."""
    if request.header("content-type").startswith("application/x-www-form-urlencoded"):
        return {name: values[0] for name, values in parse_qs(request.body.decode("latin-1")).items()}
    try:
        document = json.loads(request.body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _check_name(text: object, field: str, most: int, pattern: str, *, least: int = 1, code: str) -> None:
    if not isinstance(text, str):
        return
    problem = ""
    if len(text) > most:
        problem = f"Member must have length less than or equal to {most}"
    elif len(text) < least:
        problem = f"Member must have length greater than or equal to {least}"
    elif not re.fullmatch(pattern, text):
        problem = f"Member must satisfy regular expression pattern: {pattern}"
    if problem:
        raise ServiceError(400, code, f"1 validation error detected: Value '{text}' at '{field}' failed to satisfy "
                                      f"constraint: {problem}")  # fmt: skip


def _plain_length(document: str) -> int:
    """Return the length of a policy as IAM counts it: white space between its words is left out."""
    try:
        return len(json.dumps(json.loads(document), separators=(",", ":"), ensure_ascii=False))
    except ValueError:
        return len(document)


def _limit_exceeded(message: str) -> ServiceError:
    return ServiceError(409, "LimitExceeded", message)


async def _create_role(values: Values, _request: Request, _ask: Ask) -> None:
    most = limits.IAM_ROLE_NAME_CHARACTERS
    _check_name(values.get("RoleName"), "roleName", most, limits.IAM_NAME_PATTERN, code="ValidationError")
    await _update_trust(values, _request, _ask)


async def _update_trust(values: Values, _request: Request, _ask: Ask) -> None:
    document = values.get("AssumeRolePolicyDocument") or values.get("PolicyDocument") or ""
    if _plain_length(document) > limits.IAM_TRUST_POLICY_CHARACTERS:
        raise _limit_exceeded(f"Cannot exceed quota for ACLSizePerRole: {limits.IAM_TRUST_POLICY_CHARACTERS}")


async def _create_policy(values: Values, _request: Request, _ask: Ask) -> None:
    if _plain_length(values.get("PolicyDocument", "")) > limits.IAM_MANAGED_POLICY_CHARACTERS:
        raise _limit_exceeded(f"Cannot exceed quota for PolicySize: {limits.IAM_MANAGED_POLICY_CHARACTERS}")


async def _put_role_policy(values: Values, request: Request, ask: Ask) -> None:
    """Count all policies in the role together."""
    role, size = values.get("RoleName", ""), _plain_length(values.get("PolicyDocument", ""))
    listed = await _iam(ask, request, "ListRolePolicies", RoleName=role)
    for name in listed.iterfind(".//{*}PolicyNames/{*}member"):
        if name.text and name.text != values.get("PolicyName"):
            found = await _iam(ask, request, "GetRolePolicy", RoleName=role, PolicyName=name.text)
            size += _plain_length(unquote(found.findtext(".//{*}PolicyDocument", "")))
    if size > limits.IAM_ROLE_POLICY_CHARACTERS:
        raise _limit_exceeded(
            f"Maximum policy size of {limits.IAM_ROLE_POLICY_CHARACTERS} bytes exceeded for role {role}"
        )


async def _iam(ask: Ask, request: Request, action: str, **parameters: str) -> ElementTree.Element:
    caller = caller_of(request.headers, request.query) or Caller()
    form = (b"content-type", b"application/x-www-form-urlencoded")
    headers = (authorization(caller.account, caller.region, "iam"), (b"host", b"127.0.0.1"), form)
    answer = await ask(Request("POST", "/", "", headers, urlencode({"Action": action, **parameters}).encode()))
    return ElementTree.fromstring(answer.body)  # noqa: S314 - MiniStack's, in this process


async def _put_parameter(values: Values, _request: Request, _ask: Ask) -> None:
    name, code = values.get("Name"), "ValidationException"
    _check_name(name, "name", limits.SSM_NAME_CHARACTERS, limits.SSM_NAME_PATTERN, code=code)
    if isinstance(name, str) and len(name.strip("/").split("/")) > limits.SSM_LEVELS:
        message = f"Parameter name can have at most {limits.SSM_LEVELS} levels"
        raise ServiceError(400, "HierarchyLevelLimitExceededException", message)
    is_standard = values.get("Tier", "Standard") == "Standard"
    most = limits.SSM_STANDARD_BYTES if is_standard else limits.SSM_ADVANCED_BYTES
    if len(str(values.get("Value", "")).encode()) > most:
        tier = "Standard" if is_standard else "Advanced"
        raise ServiceError(400, code, f"{tier} tier parameters support a maximum parameter value of {most} characters.")


async def _create_log_group(values: Values, _request: Request, _ask: Ask) -> None:
    name, code = values.get("logGroupName"), "InvalidParameterException"
    _check_name(name, "logGroupName", limits.LOG_GROUP_CHARACTERS, limits.LOG_GROUP_PATTERN, code=code)


async def _create_repository(values: Values, _request: Request, _ask: Ask) -> None:
    bounds, pattern = limits.ECR_REPOSITORY_CHARACTERS, limits.ECR_REPOSITORY_PATTERN
    name, code = values.get("repositoryName"), "InvalidParameterException"
    _check_name(name, "repositoryName", bounds.most, pattern, least=bounds.least, code=code)


_SETTINGS = {"MemorySize": limits.LAMBDA_MEMORY, "Timeout": limits.LAMBDA_TIMEOUT}


async def _create_function(values: Values, _request: Request, _ask: Ask) -> None:
    name = str(values.get("FunctionName", "")).rpartition(":")[2]
    most, pattern = limits.LAMBDA_NAME_CHARACTERS, limits.LAMBDA_NAME_PATTERN
    _check_name(name, "functionName", most, pattern, code="ValidationException")
    _check_tags(values.get("Tags") or {})
    await _configure_function(values, _request, _ask)


async def _configure_function(values: Values, _request: Request, _ask: Ask) -> None:
    wanted = {**values, "EphemeralStorage.Size": (values.get("EphemeralStorage") or {}).get("Size")}
    for key, bounds in {**_SETTINGS, "EphemeralStorage.Size": limits.LAMBDA_EPHEMERAL_STORAGE}.items():
        if wanted.get(key) is not None and wanted[key] not in bounds:
            message = f"1 validation error detected: Value '{wanted[key]}' at '{key}' must be {bounds}"
            raise ServiceError(400, "ValidationException", message)
    _check_sizes(values)
    variables = (values.get("Environment") or {}).get("Variables") or {}
    size = len(json.dumps(variables, separators=(",", ":"), ensure_ascii=False).encode())
    if size > limits.LAMBDA_ENVIRONMENT_BYTES:
        raise ServiceError(
            400,
            "InvalidParameterValueException",
            "Lambda was unable to configure your environment variables because the environment variables you have "
            f"provided exceeded the 4KB limit. They have {size} bytes",
        )


def _check_sizes(values: Values) -> None:
    """Check what has a longest text or a largest number of entries."""
    network, mounts = values.get("VpcConfig") or {}, values.get("FileSystemConfigs") or ()
    code, most = "ValidationException", limits.LAMBDA_DESCRIPTION_CHARACTERS
    _check_name(values.get("Description"), "description", most, r"(?s).*", least=0, code=code)
    for key, bounds in (("SubnetIds", limits.LAMBDA_SUBNETS), ("SecurityGroupIds", limits.LAMBDA_SECURITY_GROUPS)):
        if len(network.get(key) or ()) > bounds.most:
            raise ServiceError(400, "InvalidParameterValueException", f"{key} can have {bounds.most} members at most")
    for mount in mounts:
        most, pattern = limits.LAMBDA_MOUNT_PATH_CHARACTERS, limits.LAMBDA_MOUNT_PATH_PATTERN
        _check_name(mount.get("LocalMountPath"), "localMountPath", most, pattern, code=code)


async def _tag_function(values: Values, request: Request, ask: Ask) -> None:
    caller = caller_of(request.headers, request.query) or Caller()
    signed = (authorization(caller.account, caller.region, "lambda"), (b"host", b"127.0.0.1"))
    answer = await ask(Request("GET", request.path, request.query, signed))
    present = json.loads(answer.body).get("Tags", {}) if answer.succeeded else {}
    _check_tags({**present, **(values.get("Tags") or {})})


def _check_tags(tags: Values) -> None:
    if len(tags) > limits.LAMBDA_TAGS:
        message = f"Tags can have {limits.LAMBDA_TAGS} entries at most"
        raise ServiceError(400, "InvalidParameterValueException", message)


async def _add_permission(values: Values, request: Request, ask: Ask) -> None:
    most, pattern = limits.LAMBDA_STATEMENT_ID_CHARACTERS, limits.LAMBDA_STATEMENT_ID_PATTERN
    _check_name(values.get("StatementId"), "statementId", most, pattern, code="ValidationException")
    caller = caller_of(request.headers, request.query) or Caller()
    signed = (authorization(caller.account, caller.region, "lambda"), (b"host", b"127.0.0.1"))
    answer = await ask(Request("GET", request.path, request.query, signed))
    present = json.loads(answer.body).get("Policy", "") if answer.succeeded else ""
    size = len(present.encode()) + len(json.dumps(dict(values)).encode())
    if size > limits.LAMBDA_POLICY_BYTES:
        message = f"The final policy size ({size}) is bigger than the limit ({limits.LAMBDA_POLICY_BYTES})."
        raise ServiceError(400, "PolicyLengthExceededException", message)


_CHECKS: Mapping[tuple[str, str], Callable[[Values, Request, Ask], Awaitable[None]]] = {
    ("iam", "CreateRole"): _create_role,
    ("iam", "UpdateAssumeRolePolicy"): _update_trust,
    ("iam", "CreatePolicy"): _create_policy,
    ("iam", "PutRolePolicy"): _put_role_policy,
    ("ssm", "PutParameter"): _put_parameter,
    ("logs", "CreateLogGroup"): _create_log_group,
    ("ecr", "CreateRepository"): _create_repository,
    ("lambda", "POST"): _create_function,
    ("lambda", "PUT configuration"): _configure_function,
    ("lambda", "POST policy"): _add_permission,
    ("lambda", "POST tags"): _tag_function,
}


def _query_error(error: ServiceError) -> Response:
    """Return an error in AWS's query protocol."""
    text = f"<Type>Sender</Type><Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
    namespace = "https://iam.amazonaws.com/doc/2010-05-08/"
    body = f'<ErrorResponse xmlns="{namespace}"><Error>{text}</Error></ErrorResponse>'
    return Response(body, error.status, media_type="text/xml")


def _json_error(error: ServiceError) -> Response:
    """Return an error in AWS's JSON protocol."""
    body = json.dumps({"__type": error.code, "message": error.message})
    return Response(body, error.status, media_type="application/x-amz-json-1.1")


_WORDINGS: Mapping[str, Callable[[ServiceError], Response]] = {
    "iam": _query_error,
    "ssm": _json_error,
    "logs": _json_error,
    "ecr": _json_error,
    "lambda": rest_json_error,
}
