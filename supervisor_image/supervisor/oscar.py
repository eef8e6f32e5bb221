"""Services of OSCAR: their configuration, which is YAML in blocks with plain and quoted scalars, and their script."""

import base64
import binascii
import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from supervisor.configuration import VARIABLE
from supervisor.errors import ConfigurationInvalid
from supervisor.function import Function

_FILE = "/oscar/config/function_config.yaml"
_SCRIPT = "/oscar/config/script.sh"
_OUR_NAMES = {"input": "inputs", "output": "outputs"}
_KEYS = ("name", "log_level", "storage_providers", "file_stage_in", "input", "output")


def with_configuration(environment: Mapping[str, str], file: str = _FILE) -> dict[str, str]:
    """Return the environment with OSCAR's configuration in our form, unless it has one of our own already."""
    if environment.get(VARIABLE):
        return dict(environment)
    text = _text(environment, file)
    if text is None:
        return dict(environment)
    try:
        document = read(text)
    except (ValueError, IndexError) as error:
        raise ConfigurationInvalid(f"{file}: cannot be read: {error}; deploy the service again") from error
    document = document.get("lambda", document) | {"storage_providers": document.get("storage_providers")}
    ours = {_OUR_NAMES.get(key, key): document[key] for key in _KEYS if document.get(key) is not None}
    return {**environment, VARIABLE: json.dumps(ours)}


def with_script(function: Function) -> Function:
    """Return the function with the service's script, where OSCAR mounts one and the image has none."""
    if function.image.script or not os.path.isfile(_SCRIPT):
        return function
    return function._replace(image=function.image._replace(script=_SCRIPT))


def _text(environment: Mapping[str, str], file: str) -> str | None:
    try:
        with open(file, encoding="utf-8") as found:
            return found.read()
    except OSError:
        encoded = environment.get("FUNCTION_CONFIG")
    try:
        return base64.b64decode(encoded, validate=True).decode() if encoded else None
    except (binascii.Error, ValueError) as error:
        raise ConfigurationInvalid("FUNCTION_CONFIG: is not base64; deploy the service again") from error


class _Line(NamedTuple):
    indent: int
    text: str


def read(text: str) -> dict[str, Any]:
    """Return the mapping that a document holds. Raises ValueError where it holds something else."""
    if text.lstrip().startswith("{"):
        found = json.loads(text)
    else:
        raw = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", "---"))]
        lines = [_Line(len(line) - len(line.lstrip()), line.strip()) for line in raw]
        found = _block(lines) if lines else {}
    if not isinstance(found, dict):
        raise ValueError("it is not a mapping")  # noqa: TRY004 one error for one wrong document
    return found


def _block(lines: list[_Line]) -> Any:
    """Return the value of lines that belong together, and remove them from the list."""
    return _list(lines) if lines[0].text.startswith("- ") or lines[0].text == "-" else _map(lines)


def _list(lines: list[_Line]) -> list[Any]:
    indent, found = lines[0].indent, []
    while lines and lines[0].indent == indent and (lines[0].text.startswith("- ") or lines[0].text == "-"):
        line = lines.pop(0)
        rest = line.text[1:].lstrip()
        if _pair(rest):  # the first entry of a mapping stands beside the dash
            lines.insert(0, _Line(indent + len(line.text) - len(rest), rest))
            found.append(_map(lines))
        else:
            found.append(_nested(lines, indent) if not rest else _scalar(rest))
    return found


def _map(lines: list[_Line]) -> dict[str, Any]:
    indent, found = lines[0].indent, {}
    while lines and lines[0].indent == indent and not lines[0].text.startswith("- "):
        pair = _pair(lines[0].text)
        if not pair:
            raise ValueError(f"{lines[0].text!r} is neither an entry nor a list")
        lines.pop(0)
        key, value = pair
        if value in ("|", "|-", ">", ">-"):
            while lines and lines[0].indent > indent:  # a block of text, such as a script, which is not needed
                lines.pop(0)
            continue
        # A list may stand as far left as the key that it belongs to.
        found[key] = _scalar(value) if value else _nested(lines, indent - 1 if _is_item(lines, indent) else indent)
    return found


def _is_item(lines: list[_Line], indent: int) -> bool:
    return bool(lines) and lines[0].indent == indent and lines[0].text.startswith("-")


def _nested(lines: list[_Line], indent: int) -> Any:
    return _block(lines) if lines and lines[0].indent > indent else None


def _pair(text: str) -> tuple[str, str] | None:
    if text.startswith(("'", '"', "[", "{")) and ": " not in text and not text.endswith(":"):
        return None
    key, colon, value = text.partition(": ")
    if not colon and not text.endswith(":"):
        return None
    return str(_scalar(key.removesuffix(":") if not colon else key)), value.strip()


def _scalar(text: str) -> Any:
    if text.startswith('"') or text in ("[]", "{}"):
        return json.loads(text)
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if text.startswith("[") and text.endswith("]"):
        return [_scalar(part.strip()) for part in text[1:-1].split(",") if part.strip()]
    words = {"null": None, "~": None, "true": True, "false": False}
    return words[text.lower()] if text.lower() in words else text.partition(" #")[0].rstrip()
