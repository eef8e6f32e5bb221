"""The document that tells the supervisor of a function what to do."""

import json
from collections.abc import Mapping
from typing import Optional

import pulumi

from scar_components.function_arguments import FunctionStorage, LambdaContainerFunctionArgs


def supervisor_configuration(
    function_name: str,
    args: LambdaContainerFunctionArgs,
    execution_mode: Optional[str] = None,
    batch: Optional[Mapping[str, object]] = None,
) -> str:
    """Return the supervisor's configuration, the value of `SCAR_FUNCTION`; defaults are left out: 4 KB hold it all.

    `execution_mode` is `lambda`, `batch` or `lambda-batch`; `batch` has `job_queue`, `job_definition`, `event_path`
    (bucket and prefix for events too large for a job) and `multi_node`.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    configuration = {
        "name": function_name,
        "log_level": args.get("log_level"),
        "log_format": args.get("log_format") if args.get("log_format") != "text" else None,
        "timeout_threshold": args.get("timeout_threshold"),
        "inputs": [_storage(entry) for entry in args.get("inputs", ())],
        "outputs": [_storage(entry) for entry in args.get("outputs", ())],
        "storage_providers": _references(args.get("storage_providers", {})),
        "file_stage_in": args.get("file_stage_in"),
        "report_batch_item_failures": args.get("report_batch_item_failures"),
        "asynchronous_http": args.get("asynchronous_http"),
        "execution_mode": execution_mode,
        "batch": batch,
        "page": _page(args),
    }
    given = {key: value for key, value in configuration.items() if value not in (None, [], {}) and value is not False}
    return json.dumps(given, separators=(",", ":"), ensure_ascii=False)


def _storage(entry: FunctionStorage) -> dict[str, object]:
    filters = {key: list(entry[key]) for key in ("prefix", "suffix") if entry.get(key)}
    folder = {"per_request": True} if entry.get("per_request") else {}
    return {"storage_provider": entry["provider"], "path": entry["path"], **filters, **folder}


def _page(args: LambdaContainerFunctionArgs) -> Optional[dict[str, object]]:
    page = args.get("page")
    return None if page is None else {"description": page.get("description", ""), "token": bool(page.get("token"))}


def _references(providers: Mapping[str, str]) -> dict[str, str]:
    for name, reference in providers.items():
        if not str(reference).startswith(("ssm:", "secretsmanager:")):
            raise pulumi.RunError(
                f"storage_providers: {name}: is not the place of its settings; keep them in a parameter or a secret "
                "and give `ssm:/name` or `secretsmanager:ARN`"
            )
    return dict(providers)
