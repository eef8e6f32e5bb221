"""The engine's messages as sentences for people: no colour codes, no tracebacks of our own providers."""

import os
import re

_COLOUR = re.compile(r"<\{%.*?%\}>")
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_TRACEBACK = "Traceback (most recent call last):"
_UNHANDLED = "an unhandled error occurred: "

# `package.module.SomeError: text`: the class only says what the text says better.
_OWN_ERROR = re.compile(r"^(?:scar_components|scar_foundation|scar_pulumi|pulumi)(?:\.\w+)*\.\w+: (?=.)", re.DOTALL)

# About what a local stack itself put on PATH, and what only says that something before it has failed.
_NOISE = (
    re.compile(r"^using pulumi-(resource|language)-[\w-]+ from \$PATH at "),
    re.compile(r"^(update|preview|refresh|destroy) failed$"),
    re.compile(r"^Program exited with non-zero exit code: \d+$"),
)


def clean(message: str) -> str:
    """The message without markup; "" when it says nothing that a user of a local or remote stack needs."""
    text = _ESCAPE.sub("", _COLOUR.sub("", message)).strip().removeprefix("error: ").removeprefix("warning: ")
    text = text.removeprefix(_UNHANDLED)
    if any(pattern.match(text) for pattern in _NOISE):
        return ""
    return text if os.environ.get("SCAR_DEBUG") else _without_traceback(text)


def _without_traceback(text: str) -> str:
    """Keep what was raised, and what the engine said before it; `$SCAR_DEBUG` keeps everything."""
    if _TRACEBACK not in text or _is_of_the_program(text):
        return text
    raised = _raised(text.rpartition(_TRACEBACK)[2])
    return _OWN_ERROR.sub("", raised) if raised else text


def _is_of_the_program(text: str) -> bool:
    # A mistake in somebody's own program is found by its traceback.
    return text.startswith(("Program failed with an unhandled exception", "python inline source runtime error"))


def _raised(traceback: str) -> str:
    lines = traceback.strip("\n").splitlines()
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    unindented = [number for number, line in enumerate(lines) if line.strip() and _depth(line, margin) == 0]
    # Frames are indented; the first line that is not begins the exception, which may have several lines.
    frames = [number for number, line in enumerate(lines) if line.lstrip().startswith("File ")]
    first = next((number for number in unindented if not frames or number > frames[-1]), None)
    return "" if first is None else "\n".join(line[margin:] for line in lines[first:]).strip()


def _depth(line: str, margin: int) -> int:
    return len(line) - len(line.lstrip()) - margin
