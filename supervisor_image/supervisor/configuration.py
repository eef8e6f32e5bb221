"""What the function was deployed with: the document in SCAR_FUNCTION, and the image's own configuration."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from supervisor.errors import ConfigurationInvalid

VARIABLE = "SCAR_FUNCTION"
# Variables of a job: its event, or where that is; the script of SCAR's jobs; the inputs that are finished.
EVENT, EVENT_PLACE, SCRIPT, DONE = "EVENT", "SCAR_EVENT", "SCRIPT", "SCAR_DONE"
# Variables with files that stand in for standard input and output where a container has neither.
EVENT_FILE, ANSWER_FILE = "SCAR_EVENT_FILE", "SCAR_ANSWER_FILE"
FOLDER = "/opt/scar/function"
MODES = ("lambda", "batch", "lambda-batch")
STORAGE_KINDS = ("s3", "minio", "onedata", "webdav", "rucio")
LOG_FORMATS = ("text", "json")
_THRESHOLD = 10.0
FALSE_WORDS = ("false", "no", "off", "n", "0")


class StoragePath(NamedTuple):
    """A path in a storage, and which files belong there; empty filters match every file.

    With `per_request` the files of each request go to a folder that has the request id as its name.
    """

    provider: str
    path: str
    prefix: tuple[str, ...] = ()
    suffix: tuple[str, ...] = ()
    per_request: bool = False


class Batch(NamedTuple):
    """Where jobs are submitted; `event_path` is the bucket and prefix for events that are too large for a job."""

    job_queue: str = ""
    job_definition: str = ""
    event_path: str = ""
    multi_node: bool = False


class Page(NamedTuple):
    """What the function's page shows; with `token` it asks for an access token, which the endpoint requires."""

    description: str = ""
    token: bool = False


class Configuration(NamedTuple):
    """The function's part of the configuration; times are in seconds.

    With `report_batch_item_failures` an SQS queue is told which messages failed, which its event source mapping has to
    expect. `file_stage_in` leaves the input in its storage, for the user's program to download. `asynchronous_http`
    queues HTTP calls whose callers do not wait. `storage_providers` maps a provider such as `minio.mine` to its
    settings, or to where they are: `ssm:NAME`, `secretsmanager:ID`, `env:NAME` or `file:PATH`. `mapreduce` is the
    section of a function that is a stage of a MapReduce.
    """

    name: str = ""
    log_level: str = "INFO"
    log_format: str = "text"
    timeout_threshold: float = _THRESHOLD
    inputs: tuple[StoragePath, ...] = ()
    outputs: tuple[StoragePath, ...] = ()
    storage_providers: Mapping[str, Any] = MappingProxyType({})
    file_stage_in: bool = False
    report_batch_item_failures: bool = False
    asynchronous_http: bool = False
    execution_mode: str = "lambda"
    batch: Batch = Batch()
    page: Page | None = None
    mapreduce: Mapping[str, Any] | None = None

    @property
    def secret_variables(self) -> frozenset[str]:
        """Names of the variables that hold settings of storages, with their secrets."""
        references = (value for value in self.storage_providers.values() if isinstance(value, str))
        return frozenset(name for kind, _, name in (text.partition(":") for text in references) if kind == "env")


class Image(NamedTuple):
    """What the image's author configured, and the script that was added on top."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_directory: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    script: str | None = None


def read_configuration(environment: Mapping[str, str]) -> Configuration:
    """Return the configuration in the environment, where some variables override the document."""
    document = _document(environment.get(VARIABLE) or "{}", VARIABLE)
    threshold = environment.get("TIMEOUT_THRESHOLD") or document.get("timeout_threshold")
    return Configuration(
        name=str(document.get("name") or environment.get("AWS_LAMBDA_FUNCTION_NAME") or ""),
        log_level=str(environment.get("LOG_LEVEL") or document.get("log_level") or "INFO"),
        log_format=_one_of(LOG_FORMATS, document.get("log_format"), "log_format"),
        timeout_threshold=_seconds(_THRESHOLD if threshold is None else threshold),
        inputs=_storage_paths(document.get("inputs"), "inputs"),
        outputs=_storage_paths(document.get("outputs"), "outputs"),
        storage_providers=_providers(document.get("storage_providers")),
        file_stage_in=truth(document.get("file_stage_in")),
        report_batch_item_failures=truth(document.get("report_batch_item_failures")),
        asynchronous_http=truth(document.get("asynchronous_http")),
        execution_mode=_one_of(
            MODES, environment.get("EXECUTION_MODE") or document.get("execution_mode"), "execution_mode"
        ),
        batch=_batch(document.get("batch")),
        page=_page(document.get("page")),
        mapreduce=_section(document.get("mapreduce")),
    )


def read_image(folder: str = FOLDER) -> Image:
    """Return what is baked into the image; all of it is empty where nothing is."""
    try:
        with open(f"{folder}/image.json", encoding="utf-8") as file:
            document = _document(file.read(), file.name)
    except FileNotFoundError:
        document = {}
    return Image(
        entrypoint=_texts(document.get("Entrypoint")),
        command=_texts(document.get("Cmd")),
        working_directory=str(document.get("WorkingDir") or ""),
        environment=tuple(_pair(entry) for entry in _texts(document.get("Env"))),
        script=_baked_script(folder),
    )


def _baked_script(folder: str) -> str | None:
    path = f"{folder}/script"
    try:
        with open(path, "rb"):
            return path
    except FileNotFoundError:
        return None


def _document(text: str, source: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ConfigurationInvalid(f"{source}: is not JSON: {error}; deploy the function again") from error
    if not isinstance(document, dict):
        raise ConfigurationInvalid(f"{source}: is not a JSON object; deploy the function again")
    return document


def _storage_paths(value: Any, key: str) -> tuple[StoragePath, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(entry, dict) and entry.get("path") for entry in value):
        raise ConfigurationInvalid(f"{VARIABLE}: {key}: is not a list of storage paths; deploy the function again")
    return tuple(
        StoragePath(
            provider=str(entry.get("storage_provider") or "s3"),
            path=str(entry["path"]).strip("/"),
            prefix=_texts(entry.get("prefix")),
            suffix=_texts(entry.get("suffix")),
            per_request=truth(entry.get("per_request")),
        )
        for entry in value
    )


def truth(value: Any) -> bool:
    """Return whether a setting is on; a text is, unless it is empty or one of the words for false."""
    if not isinstance(value, str):
        return bool(value)
    return value.strip().lower() not in ("", *FALSE_WORDS)


def _one_of(known: tuple[str, ...], value: Any, key: str) -> str:
    chosen = str(value or known[0]).lower()
    if chosen not in known:
        raise ConfigurationInvalid(f"{VARIABLE}: {key}: {value!r} is unknown; use one of {', '.join(known)}")
    return chosen


def _batch(value: Any) -> Batch:
    found = value if isinstance(value, dict) else {}
    return Batch(
        job_queue=str(found.get("job_queue") or ""),
        job_definition=str(found.get("job_definition") or ""),
        event_path=str(found.get("event_path") or "").strip("/"),
        multi_node=truth(found.get("multi_node")),
    )


def _section(value: Any) -> Mapping[str, Any] | None:
    if value is None or isinstance(value, dict):
        return value
    raise ConfigurationInvalid(f"{VARIABLE}: mapreduce: is not an object; deploy the function again")


def _page(value: Any) -> Page | None:
    if not truth(value):
        return None
    found = value if isinstance(value, dict) else {}
    return Page(str(found.get("description") or ""), truth(found.get("token")))


def _providers(value: Any) -> dict[str, Any]:
    """Return the settings by provider (`minio.mine`); type → id → settings, as in an FDL file, is accepted as well."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigurationInvalid(f"{VARIABLE}: storage_providers: is not an object; deploy the function again")
    found: dict[str, Any] = {}
    for name, settings in value.items():
        if "." in name or not isinstance(settings, dict):
            found[name if "." in name else f"{name}.default"] = settings
        else:
            found.update({f"{name}.{identifier}": nested for identifier, nested in settings.items()})
    return found


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(item) for item in value)


def _pair(entry: str) -> tuple[str, str]:
    name, _, value = entry.partition("=")
    return name, value


def _seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ConfigurationInvalid(f"timeout threshold: {value!r} is not a number of seconds; use 0 or more")
    return seconds
