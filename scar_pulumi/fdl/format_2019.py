"""SCAR's format of 2019: told apart from today's, read as today's, and converted to it as text.

A function's settings stand directly below its name there. Output files without a folder of their own went into one
folder for each request, which is `per_request` today. Every value keeps its position, so that mistakes are shown in the
file; comments stay with the lines that they belong to.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from scar_pulumi.fdl.kinds import Key, Kind, Section
from scar_pulumi.fdl.problems import FdlError, Mark, Problem, Report, closest, join, quoted
from scar_pulumi.fdl.tables import AWS_FUNCTION, FUNCTIONS
from scar_pulumi.fdl.tree import Entry, ListNode, MapNode, Node, ScalarNode, is_null
from scar_pulumi.fdl.yaml_text import Comments, emit, read_text, read_tree, without_scalars

RENAMED = {
    **{name: f"lambda.{name}" for name in ("description", "memory", "execution_mode", "log_level", "init_script")},
    **{name: f"lambda.{name}" for name in ("run_script", "layers", "extra_payload", "asynchronous", "region")},
    "time": "lambda.timeout",
    "profile": "lambda.boto_profile",
    "supervisor_version": "lambda.supervisor.version",
    **{name: f"lambda.container.{name}" for name in ("image", "image_file", "timeout_threshold")},
    **{name: name for name in ("iam", "cloudwatch", "api_gateway", "batch")},
}
"""Keys of 2019 and where they stand today, below an entry of `functions.aws`."""
_CHANGED = {
    "environment": Key("Variables of the user's process: a map, or a list of NAME=value."),
    "lambda_environment": Key("Variables of the Lambda function; those of SCAR's supervisor describe storage."),
    "s3": Key("Buckets with or without a folder: input_bucket, output_bucket and deployment_bucket."),
    "c_args": Key("Command of `scar run`.", note="give the command when you invoke the function"),
    "name": Key("Option of SCAR's command line.", note="the key above the settings is the function's name"),
}


def _key(path: str) -> Key:
    """Return a key of 2019 for one of today's, with the same meaning; its value is checked as today's."""
    kind: Kind = AWS_FUNCTION
    for name in path.split("."):
        if isinstance(kind, Section):
            today = kind.keys[name]
            kind = today.kind
    return Key(today.doc, note=today.note)


FUNCTION_2019 = Section(
    keys={**{name: _key(path) for name, path in RENAMED.items()}, **_CHANGED}, at_least_one=("image", "image_file")
)


def is_2019_format(root: MapNode) -> bool:
    """Return whether `functions` maps names to settings, as the format of 2019 does."""
    functions = root.get("functions")
    if not isinstance(functions, MapNode) or functions.entries.keys() & FUNCTIONS.keys.keys():
        return False
    return any(
        isinstance(entry.value, MapNode) and entry.value.entries.keys() & FUNCTION_2019.keys.keys()
        for entry in functions.entries.values()
    )


# https://github.com/grycap/faas-supervisor/tree/1.1.1: the numbers tie credentials and paths together.
_STORAGE = re.compile(r"STORAGE_(?:AUTH_(MINIO|S3|ONEDATA)_(USER|PASS|TOKEN|SPACE|HOST)|PATH_(INPUT|OUTPUT))_(\w+)")
_CREDENTIALS = {
    ("MINIO", "USER"): "access_key",
    ("MINIO", "PASS"): "secret_key",
    ("MINIO", "HOST"): "endpoint",
    ("S3", "USER"): "access_key",
    ("S3", "PASS"): "secret_key",
    ("ONEDATA", "TOKEN"): "token",
    ("ONEDATA", "SPACE"): "space",
    ("ONEDATA", "HOST"): "oneprovider_host",
}


def from_2019(root: MapNode, report: Report) -> MapNode:
    """Return the document in today's format; what cannot be carried over goes to the report."""
    mark, functions = root.entries["functions"]
    assert isinstance(functions, MapNode)
    providers = MapNode(functions.mark, {})
    listed: list[Node] = []
    for name, entry in functions.entries.items():
        if isinstance(entry.value, MapNode) and name not in FUNCTION_2019.keys:
            listed.append(_function(name, entry, providers, report))
        elif name in FUNCTION_2019.keys:
            hint = "indent it below the function's name"
            report.error(entry.mark, join("functions", name), f"'{name}' is a setting, not a function", hint)
        else:
            report.error(entry.mark, join("functions", name), "a function is a map of settings here", "give its image")
    aws = MapNode(functions.mark, {"aws": Entry(mark, ListNode(functions.mark, listed))})
    entries = {**root.entries, "functions": Entry(mark, aws)}
    if providers.entries:
        entries["storage_providers"] = Entry(providers.mark, providers)
    return MapNode(root.mark, entries)


def _function(name: str, entry: Entry, providers: MapNode, report: Report) -> MapNode:
    settings = entry.value
    assert isinstance(settings, MapNode)
    path = join("functions", name)
    _note_unknown(settings, path, report)
    given = {key: one for key, one in settings.entries.items() if not is_null(one.value)}
    section = {"name": Entry(entry.mark, ScalarNode(entry.mark, name)), **_renamed(given, "lambda")}
    container = _renamed(given, "lambda.container")
    if "environment" in given:
        container["environment"] = _variables(given["environment"], path, report)
    if "lambda_environment" in given:
        variables = _variables(given["lambda_environment"], path, report)
        if (left := _without_storage(variables, section, providers)) is not None:
            section["environment"] = left
    if "supervisor_version" in given:
        section["supervisor"] = _wrapped("version", given["supervisor_version"])
    section["container"] = Entry(entry.mark, MapNode(settings.mark, container))
    _s3(name, settings, section)
    beside = _renamed(given, "")
    if "batch" in beside:
        beside["batch"] = _batch(beside["batch"])
    return MapNode(entry.mark, {"lambda": Entry(entry.mark, MapNode(settings.mark, section)), **beside})


def _renamed(given: Mapping[str, Entry], section: str) -> dict[str, Entry]:
    """Return the keys that are in a section today, under their names of today."""
    places = {key: RENAMED[key].rpartition(".") for key in given if key in RENAMED}
    return {name: given[key] for key, (above, _, name) in places.items() if above == section}


def _note_unknown(settings: MapNode, path: str, report: Report) -> None:
    for key, one in settings.entries.items():
        if key in FUNCTION_2019.keys:
            continue
        match = closest(key, FUNCTION_2019.keys)
        hint = f"did you mean '{match}'?" if match else "SCAR ignored it as well"
        # A key that merely resembles one is a mistake; others were ignored by SCAR as they are here.
        note = report.error if match else report.warning
        note(one.mark, join(path, key), f"the key {quoted(key)} is unknown", hint)
    if "c_args" in settings.entries:
        message = f"has no effect: {_CHANGED['c_args'].note}"
        report.warning(settings.entries["c_args"].mark, join(path, "c_args"), message)


def _wrapped(name: str, entry: Entry) -> Entry:
    return Entry(entry.mark, MapNode(entry.mark, {name: entry}))


def _variables(entry: Entry, path: str, report: Report) -> Entry:
    """Return a map, or a list of NAME=value, below `Variables`."""
    value = entry.value
    if isinstance(value, ListNode):
        found: dict[str, Entry] = {}
        for item in value.items:
            name, equals, text = item.text.partition("=") if isinstance(item, ScalarNode) else ("", "", "")
            if not equals:
                report.error(item.mark, path, "a variable in a list is written NAME=value")
                continue
            found[name] = Entry(item.mark, ScalarNode(item.mark, text))
        value = MapNode(value.mark, found)
    return _wrapped("Variables", Entry(entry.mark, value))


def _without_storage(entry: Entry, section: dict[str, Entry], providers: MapNode) -> Entry | None:
    """Return the variables without those that describe storage; add what these mean to section and providers."""
    wrapper = entry.value
    variables = wrapper.get("Variables") if isinstance(wrapper, MapNode) else None
    if not isinstance(variables, MapNode):
        return entry
    left: dict[str, Entry] = {}
    kinds: dict[str, str] = {}
    paths: list[tuple[str, str, Entry]] = []
    for name, one in variables.entries.items():
        found = _STORAGE.fullmatch(name)
        credential = _CREDENTIALS.get((found[1], found[2])) if found else None
        if found and found[3]:
            paths.append((found[3].lower(), found[4], one))
        elif found and credential:
            kinds[found[4]] = found[1].lower()
            _provider(providers, found[1].lower(), _id(found[4]), one.mark).entries[credential] = one
        else:
            left[name] = one
    for direction, number, one in paths:
        provider = f"{kinds[number]}.{_id(number)}" if number in kinds else "s3"
        _add(section, direction, _place(one, provider))
    return _wrapped("Variables", Entry(entry.mark, MapNode(variables.mark, left))) if left else None


def _id(number: str) -> str:
    return f"storage-{number}"


def _provider(providers: MapNode, kind: str, name: str, mark: Mark) -> MapNode:
    here = providers
    for key in (kind, name):
        below = here.entries.setdefault(key, Entry(mark, MapNode(mark, {}))).value
        assert isinstance(below, MapNode)
        here = below
    return here


def _place(path: Entry, provider: str, **more: Node) -> MapNode:
    mark = path.mark
    extra = {key: Entry(mark, node) for key, node in more.items()}
    return MapNode(mark, {"storage_provider": Entry(mark, ScalarNode(mark, provider)), "path": path, **extra})


def _add(section: dict[str, Entry], direction: str, place: MapNode) -> None:
    listed = section.setdefault(direction, Entry(place.mark, ListNode(place.mark, []))).value
    assert isinstance(listed, ListNode)
    listed.items.append(place)


def _s3(name: str, settings: MapNode, section: dict[str, Entry]) -> None:
    """Add input and output; without a folder, SCAR used `function/input` and `function/output/request`."""
    s3 = settings.get("s3")
    given = s3.entries if isinstance(s3, MapNode) else {}
    source, target = given.get("input_bucket"), given.get("output_bucket")
    if source is not None:
        _add(section, "input", _place(_in_folder(source, f"{name}/input"), "s3"))
    if target is not None and "/" in _text(target).strip("/"):
        _add(section, "output", _place(target, "s3"))
    elif (bucket := target or source) is not None:
        # With a folder for input only, SCAR wrote the output there as well, which started the function again.
        alone = Entry(bucket.mark, _with_text(bucket.value, _text(bucket).strip("/").partition("/")[0]))
        flag = ScalarNode(bucket.mark, "true", "boolean")
        _add(section, "output", _place(_in_folder(alone, f"{name}/output"), "s3", per_request=flag))
    if (deployment := given.get("deployment_bucket")) is not None:
        section["deployment"] = _wrapped("bucket", deployment)


def _text(entry: Entry) -> str:
    return entry.value.text if isinstance(entry.value, ScalarNode) else ""


def _with_text(node: Node, text: str) -> Node:
    return ScalarNode(node.mark, text) if isinstance(node, ScalarNode) else node


def _in_folder(entry: Entry, folder: str) -> Entry:
    text = _text(entry).strip("/")
    path = f"{text}/{folder}" if text and "/" not in text else text
    return Entry(entry.mark, _with_text(entry.value, path))


def _batch(entry: Entry) -> Entry:
    """Return `batch` as it is today: `state` and `type` were in `compute_resources`, and its type was `comp_type`."""
    if not isinstance(entry.value, MapNode):
        return entry
    batch = dict(entry.value.entries)
    resources = batch.get("compute_resources")
    if resources is not None and isinstance(resources.value, MapNode):
        inner: dict[str, Entry] = dict(resources.value.entries)
        moved: Mapping[str, Entry] = {key: inner.pop(key) for key in ("state", "type") if key in inner}
        if "comp_type" in inner:
            inner["type"] = inner.pop("comp_type")
        elif "type" in moved and _text(moved["type"]) not in ("MANAGED", "UNMANAGED"):
            inner["type"] = moved["type"]
            moved = {key: one for key, one in moved.items() if key != "type"}
        batch |= {**moved, "compute_resources": Entry(resources.mark, MapNode(resources.value.mark, inner))}
    return Entry(entry.mark, MapNode(entry.value.mark, batch))


_COMMENT = re.compile(r"(?:^|(?<=\s))#.*")


def convert(path: str | Path) -> tuple[str, tuple[Problem, ...]]:
    """Return a file of either format as text in today's, and the problems found in it.

    Raises:
        FdlError: The file cannot be read, or holds what cannot be carried over.
    """
    report = Report()
    root = read_tree(Path(path), report)
    text = None if root is None else read_text(Path(path), str(path), report)
    if root is None or text is None:
        raise FdlError(report.problems())
    if not is_2019_format(root):
        return text, report.problems()
    converted = from_2019(root, report)
    if report.failed:
        raise FdlError(report.problems())
    comments = _KeptComments(text)
    lines = emit(converted, comments)
    return "\n".join([*lines, *comments.rest(), ""]), report.problems()


class _KeptComments(Comments):
    """The comments of a text, each given out once."""

    def __init__(self, text: str) -> None:
        self._behind: dict[int, str] = {}
        self._before: dict[int, list[str]] = {}
        waiting: list[str] = []
        for number, line in enumerate(without_scalars(text).splitlines(), start=1):
            stripped = line.strip()
            if stripped.startswith("#"):
                waiting.append(stripped)
                continue
            if not stripped:
                continue
            if (found := _COMMENT.search(line)) is not None:
                self._behind[number] = found[0].rstrip()
            self._before[number], waiting = waiting, []
        self._last = waiting

    def before(self, mark: Mark, path: str) -> list[str]:  # noqa: ARG002 - one shape for all
        """Return the comments above the line of a position."""
        return self._before.pop(mark.line, [])

    def behind(self, mark: Mark, path: str) -> str:  # noqa: ARG002 - one shape for all
        """Return the comment behind that line."""
        return self._behind.pop(mark.line, "")

    def rest(self) -> list[str]:
        """Return the comments of lines that the converted text does not have."""
        above = [comment for comments in self._before.values() for comment in comments]
        return [*above, *self._behind.values(), *self._last]
