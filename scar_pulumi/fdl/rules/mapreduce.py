"""Rules about MapReduces: what its parts need of each other, of the images and of the disk of a task."""

from collections.abc import Iterator
from typing import Any

from scar_foundation.limits import LAMBDA_ENVIRONMENT_BYTES
from scar_pulumi.fdl.document import Document, MapReduceValues
from scar_pulumi.fdl.problems import quoted

_COPIES = 3
"""How often a task has its records on disk at most: as the mapper reads them, sorted, and as they are stored."""
_PART_OF_MEMORY = 4
"""The longest record that a task of so much memory can hold, with what is made of it."""
_SUPERVISOR_BYTES = 1500
"""What the supervisor of a stage is told, beside places and names."""
_OF_CSV = ("separator", "quote", "escape")
_OF_LAMBDA = ("memory", "timeout", "ephemeral_storage")
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")


def mapreduces_can_run(document: Document) -> None:
    """Check everything of this module."""
    for mapreduce in document.mapreduces():
        _have_images(document, mapreduce)
        _have_one_output(document, mapreduce)
        _keep_contract(document, mapreduce)
        _combine(document, mapreduce)
        _fit(document, mapreduce)
        _variables_fit(document, mapreduce)
        _note(document, mapreduce)
        if document.given(f"{mapreduce.path}.api_gateway") and document.is_own(f"{mapreduce.path}.api_gateway"):
            message = "a MapReduce has no HTTP endpoint: files start it"
            document.error(f"{mapreduce.path}.api_gateway", message, "remove it")


def _parts(mapreduce: MapReduceValues) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return both stages with their paths."""
    for name in ("mapper", "reducer"):
        yield f"{mapreduce.settings_path}.{name}", mapreduce.settings.get(name, {})


def _have_images(document: Document, mapreduce: MapReduceValues) -> None:
    containers = [(f"{mapreduce.settings_path}.container", mapreduce.container)]
    containers += [(f"{path}.container", part.get("container", {})) for path, part in _parts(mapreduce)]
    for path, container in containers:
        if "image" in container and "image_file" in container:
            document.error(path, "'image' and 'image_file' cannot both be given", "give one of them")
    for path, part in _parts(mapreduce):
        own = part.get("container", {})
        if not any("image" in one or "image_file" in one for one in (own, mapreduce.container)):
            name = path.rpartition(".")[2]
            document.error(mapreduce.settings_path, f"the {name} has no image", "add container: {image: …}")
    for path, part in _parts(mapreduce):
        _has_a_program(document, mapreduce, path, part)


def _has_a_program(document: Document, mapreduce: MapReduceValues, path: str, part: dict[str, Any]) -> None:
    """Check that a stage says what it runs: what most images start is a shell, which would take pairs for commands."""
    own, name = part.get("container", {}), path.rpartition(".")[2]
    is_told = "image" in own or "image_file" in own or document.given(f"{path}.init_script")
    of_marla = mapreduce.settings.get("contract") == "marla"  # one file has both stages
    if not is_told and not of_marla:
        message = f"the {name} has no program"
        document.error(
            mapreduce.settings_path, message, f"give {name}.init_script, or an image of its own that starts it"
        )


def _have_one_output(document: Document, mapreduce: MapReduceValues) -> None:
    places = mapreduce.settings.get("output", ())
    if len(places) > 1:
        path = f"{mapreduce.settings_path}.output"
        document.error(path, f"has {len(places)} entries, and a MapReduce has one output", "give one")
    for index, place in enumerate(places):
        for key in ("prefix", "suffix"):
            if isinstance(place, dict) and place.get(key):
                where = f"{mapreduce.settings_path}.output[{index}].{key}"
                document.error(where, "does not fit: all results are stored", "remove it")


def _keep_contract(document: Document, mapreduce: MapReduceValues) -> None:
    path, settings = mapreduce.settings_path, mapreduce.settings
    if settings.get("contract") != "marla":
        return
    if settings.get("mapper", {}).get("init_script") is None and not document.given(f"{path}.mapper.init_script"):
        message = "'marla' needs a Python file with the functions mapper and reducer"
        document.error(f"{path}.contract", message, "name it as mapper.init_script")
    for stage, needed in (("mapper", ("mapper", "reducer")), ("reducer", ("reducer",))):
        script = settings.get(stage, {}).get("init_script")
        if script is not None and (said := _not_of_marla(document, script, needed)):
            document.error(f"{path}.{stage}.init_script", said, "see docs/mapreduce.md for what MARLA's files are")
    if document.given(f"{path}.pairs"):
        document.error(f"{path}.pairs", "'marla' has its own form of pairs", "remove it")
    if settings.get("combiner", {}).get("init_script") is not None:
        document.error(f"{path}.combiner", "'marla' combines with its own reducer", "write combiner: reducer")


def _not_of_marla(document: Document, script: str, needed: tuple[str, ...]) -> str | None:
    """Return what a script lacks to be a file of MARLA's: Python with these functions; None if nothing."""
    import ast  # noqa: PLC0415 - few files have such scripts

    shown = "the script" if "\n" in script else quoted(script)
    try:
        text = script if "\n" in script else document.absolute(script).read_text(encoding="utf-8")
        tree = ast.parse(text)
    except OSError:  # it was reported that it is not there
        return None
    except (SyntaxError, ValueError) as error:
        return f"{shown} is not Python, as 'marla' needs: {error}"
    if any(isinstance(one, ast.ImportFrom) and one.names[0].name == "*" for one in tree.body):
        return None
    found = {name for one in tree.body for name in _names(one)}
    missing = [name for name in needed if name not in found]
    return f"{shown} has no function {' and no function '.join(missing)}" if missing else None


def _names(statement: Any) -> Iterator[str]:
    """Return what a statement at the top of a Python file names; all of it where it has others in it."""
    import ast  # noqa: PLC0415 - as above

    for node in ast.walk(statement):
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.asname or node.name


def _combine(document: Document, mapreduce: MapReduceValues) -> None:
    settings = mapreduce.settings
    by_reducer = settings.get("combiner", {}).get("by") == "reducer" and settings.get("contract") != "marla"
    path = f"{mapreduce.settings_path}.reducer.init_script"
    if by_reducer and settings.get("reducer", {}).get("init_script") is None and not document.given(path):
        message = "the reducer can combine only if it is a script, which runs in the mapper's image as well"
        document.error(f"{mapreduce.settings_path}.combiner", message, "give reducer.init_script, or a script here")


def _fit(document: Document, mapreduce: MapReduceValues) -> None:
    """Check that a task in Lambda has room for its records; jobs have what `batch` says."""
    if mapreduce.uses_batch:
        return
    path, settings = mapreduce.settings_path, mapreduce.settings
    mapper, form = settings.get("mapper", {}), settings.get("format", {})
    memory, longest = mapper.get("memory"), form.get("max_record")
    if None not in (memory, longest) and longest * _PART_OF_MEMORY > memory and form.get("type") != "whole":
        message = f"records of {longest} MB need {longest * _PART_OF_MEMORY} MB of memory, and the mapper has {memory}"
        place = "format.max_record" if document.given(f"{path}.format.max_record") else "mapper.memory"
        document.error(f"{path}.{place}", message, "raise mapper.memory, lower max_record, or use engine: batch")
    size, disk = settings.get("split", {}).get("size"), mapper.get("ephemeral_storage")
    if None not in (size, disk) and size * _COPIES > disk:
        message = f"splits of {size} MB need up to {size * _COPIES} MB of /tmp, and the mapper has {disk}"
        place = "split.size" if document.given(f"{path}.split") else "mapper.ephemeral_storage"
        document.error(f"{path}.{place}", message, "raise mapper.ephemeral_storage, or lower split.size")


def _variables_fit(document: Document, mapreduce: MapReduceValues) -> None:
    if mapreduce.uses_batch:
        return
    shared = _size(mapreduce.container)
    for path, part in _parts(mapreduce):
        size = shared + _size(part.get("container", {})) + _SUPERVISOR_BYTES
        if size > LAMBDA_ENVIRONMENT_BYTES:
            message = (
                f"the variables of a task take {size:,} bytes, about {_SUPERVISOR_BYTES:,} of them for the supervisor; "
                f"Lambda's maximum is {LAMBDA_ENVIRONMENT_BYTES:,}"
            )
            document.error(f"{path}.container", message, "put large values into a file in the image or in a bucket")


def _size(container: dict[str, Any]) -> int:
    variables: dict[str, str] = container.get("environment", {}).get("Variables", {})
    return sum(len(f'"{name}":"{value}",'.encode()) for name, value in variables.items())


def _note(document: Document, mapreduce: MapReduceValues) -> None:
    """Warn of what has no effect, or not the one that is hoped for."""
    path, settings = mapreduce.settings_path, mapreduce.settings
    kind = settings.get("format", {}).get("type")
    for key in _OF_CSV if kind not in (None, "csv") else ():
        if document.given(f"{path}.format.{key}"):
            document.warning(f"{path}.format.{key}", f"has no effect: only csv has it, and the type is {kind}")
    if kind == "whole" and settings.get("format", {}).get("header") == "skip":
        document.warning(f"{path}.format.header", "has no effect: each object is one record")
    for index, place in enumerate(settings.get("input", ())):
        ends = [end for end in place.get("suffix", ()) if end.endswith(_COMPRESSED)] if isinstance(place, dict) else []
        if ends and kind != "whole":
            message = f"files {quoted(ends[0])} cannot be split: one mapper reads each, as it is, and has to unpack it"
            document.warning(f"{path}.input[{index}].suffix", message, "store them uncompressed")
            if settings.get("format", {}).get("header") == "skip":
                document.warning(f"{path}.format.header", f"has no effect on files {quoted(ends[0])}")
    if mapreduce.uses_batch:
        _note_sizes(document, mapreduce)


def _note_sizes(document: Document, mapreduce: MapReduceValues) -> None:
    for path, _ in _parts(mapreduce):
        for key in _OF_LAMBDA:
            if document.given(f"{path}.{key}") and document.is_own(f"{path}.{key}"):
                document.warning(
                    f"{path}.{key}", "has no effect: tasks run in AWS Batch, and 'batch' says what they get"
                )
    place = f"{mapreduce.settings_path}.split.max_parallel"
    if document.given(place) and document.is_own(place):
        document.warning(place, "has no effect: batch.compute_resources.max_v_cpus says how many tasks run at once")
