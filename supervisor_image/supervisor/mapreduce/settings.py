"""What a function of a MapReduce was deployed with: the section `mapreduce` of its configuration."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from supervisor.configuration import VARIABLE
from supervisor.errors import ConfigurationInvalid
from supervisor.mapreduce.quotes import Dialect
from supervisor.mapreduce.records import Rules

STAGES = ("plan", "map", "reduce", "commit")
COMBINERS = ("none", "reducer", "script")
PARTITIONS = ("hash", "range")
PAIRS = ("text", "json", "marla")
FORMATS = ("lines", "csv", "jsonl", "whole")
HEADERS = ("none", "skip")
_SPLIT = 64 << 20
_SORTED_IN_MEMORY = 0.4
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_DEFAULT_MEMORY = 1 << 30
_NO_LIMIT = 1 << 50  # cgroups without a limit have such numbers


class Settings(NamedTuple):
    """The section; sizes are in bytes. `work_prefix` is empty or ends with a slash."""

    stage: str
    name: str = ""
    work_bucket: str = ""
    work_prefix: str = ""
    state_machine: str = ""
    reducers: int = 1
    combiner: str = "none"
    partition: str = "hash"
    pairs: str = "text"
    skip_bad_pairs: bool = False
    format: str = "lines"
    rules: Rules = Rules()
    split_size: int = _SPLIT
    memory: int = 0
    digest: str = ""


def read_settings(section: Mapping[str, Any]) -> Settings:
    """Return the settings. Raises ConfigurationInvalid."""
    form, split = _section(section, "format"), _section(section, "split")
    bucket, _, prefix = str(section.get("work") or "").partition("/")
    kind = _one_of(FORMATS, form, "type")
    return Settings(
        stage=_one_of(STAGES, section, "stage"),
        name=str(section.get("name") or ""),
        work_bucket=bucket or _refuse("work", section.get("work"), "BUCKET or BUCKET/PREFIX"),
        work_prefix=f"{prefix.strip('/')}/".lstrip("/"),
        state_machine=str(section.get("state_machine") or ""),
        reducers=_count(section, "reducers", 1),
        combiner=_one_of(COMBINERS, section, "combiner"),
        partition=_one_of(PARTITIONS, section, "partition"),
        pairs=_one_of(PAIRS, section, "pairs"),
        skip_bad_pairs=section.get("bad_pairs") == "skip",
        format=kind,
        rules=_rules(kind, form),
        split_size=_count(split, "size", _SPLIT),
        memory=_count(section, "memory", 0) << 20,
        digest=str(section.get("digest") or ""),
    )


def sort_budget(settings: Settings, environment: Mapping[str, str]) -> int:
    """Return the bytes of memory in which pairs are sorted; what is more goes to the disk."""
    megabytes = environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    whole = int(megabytes) << 20 if megabytes.isdecimal() else settings.memory or _cgroup_limit()
    return int(whole * _SORTED_IN_MEMORY)


def _rules(kind: str, form: Mapping[str, Any]) -> Rules:
    escape = _byte(form, "escape", "")
    quote = _byte(form, "quote", '"') if kind == "csv" else b""
    # A quote that escapes itself is the doubled quote, which opens and closes at once.
    dialect = Dialect(quote, escape if quote and escape != quote else b"")
    header = _one_of(HEADERS, form, "header") == "skip"
    return Rules(dialect, header, _count(form, "max_record", Rules().max_record))


def _section(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key) or {}
    return found if isinstance(found, dict) else _refuse(key, found, "an object")


def _one_of(known: tuple[str, ...], document: Mapping[str, Any], key: str) -> str:
    chosen = str(document.get(key) or known[0])
    return chosen if chosen in known else _refuse(key, chosen, f"one of {', '.join(known)}")


def _count(document: Mapping[str, Any], key: str, default: int) -> int:
    value = document.get(key)
    if value is None:
        return default
    good = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value) > 0
    return int(value) if good else _refuse(key, value, "a whole number above 0")


def _byte(document: Mapping[str, Any], key: str, default: str) -> bytes:
    value = default if document.get(key) is None else document[key]
    good = isinstance(value, str) and len(value.encode()) <= 1 and value not in ("\n", "\r")
    return value.encode() if good else _refuse(key, value, "one ASCII character that ends no line")


def _refuse(key: str, value: Any, wanted: str) -> Any:
    raise ConfigurationInvalid(f"{VARIABLE}: mapreduce: {key}: {value!r} is not {wanted}; deploy again")


def _cgroup_limit() -> int:
    for path in _CGROUP_LIMITS:
        try:
            with open(path, encoding="ascii") as file:
                text = file.read().strip()
        except OSError:
            continue
        if text.isdecimal() and int(text) < _NO_LIMIT:
            return int(text)
    return _DEFAULT_MEMORY
