"""The environment variables that a function finds in its container."""

from collections.abc import Iterable, Mapping

from scar_pulumi.cloud.runner.configuration import FunctionConfiguration

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Names that Lambda keeps for itself: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
_RESERVED_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
}


def container_environment(
    function: FunctionConfiguration,
    image: Iterable[tuple[str, str]],
    endpoint: Mapping[str, str],
    runtime_api: str,
    log_stream: str,
) -> dict[str, str]:
    """Merge, weakest first: defaults, image, endpoint of the local cloud, function, what Lambda reserves."""
    merged = {
        "PATH": _PATH,
        **dict(image),
        **endpoint,
        **function.environment,
        **{name: value for name, value in endpoint.items() if name in _RESERVED_CREDENTIALS},
        **_reserved(function, runtime_api, log_stream),
    }
    return {name: value for name, value in merged.items() if _valid(name, value)}


def _reserved(function: FunctionConfiguration, runtime_api: str, log_stream: str) -> dict[str, str]:
    return {
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": "/var/task",
        "TZ": function.environment.get("TZ", ":UTC"),
    }


def _valid(name: str, value: str) -> bool:
    return bool(name) and "=" not in name and "\0" not in name + value
