"""From SCAR's format of 2019 to today's, as text: comments stay with the lines that they belong to."""

import re
from pathlib import Path

from scar_pulumi.fdl._dialect import is_2019_format
from scar_pulumi.fdl._emit import Comments, emit
from scar_pulumi.fdl._format_2019 import from_2019
from scar_pulumi.fdl._read_tree import read_tree
from scar_pulumi.fdl._text import read_text
from scar_pulumi.fdl.problems import FdlError, Mark, Problem, Report

# A '#' outside of quotes, at the start of a line or after a space, begins a comment.
_COMMENT = re.compile(r"""^((?:[^'"#]|'[^']*'|"(?:[^"\\]|\\.)*"|(?<=\S)#|(?<=\S)['"])*?)(?:(?<=\s)|^)(#.*)$""")


def convert(path: str | Path) -> tuple[str, tuple[Problem, ...]]:
    """A file of either format as text in today's, and what should be known about it.

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
    comments = _Kept(text)
    lines = emit(converted, comments)
    return "\n".join([*lines, *comments.rest(), ""]), report.problems()


class _Kept(Comments):
    """The comments of a text, each given out once."""

    def __init__(self, text: str) -> None:
        self._behind: dict[int, str] = {}
        self._before: dict[int, list[str]] = {}
        waiting: list[str] = []
        for number, line in enumerate(text.splitlines(), start=1):
            stripped = line.strip()
            if stripped.startswith("#"):
                waiting.append(stripped)
                continue
            if not stripped:
                continue
            if (found := _COMMENT.match(line)) is not None:
                self._behind[number] = found[2].rstrip()
            self._before[number], waiting = waiting, []
        self._last = waiting

    def before(self, mark: Mark, path: str) -> list[str]:  # noqa: ARG002 - one shape for all
        """Comments above the line of a position."""
        return self._before.pop(mark.line, [])

    def behind(self, mark: Mark, path: str) -> str:  # noqa: ARG002 - one shape for all
        """The comment behind that line."""
        return self._behind.pop(mark.line, "")

    def rest(self) -> list[str]:
        """What belongs to lines that the converted text does not have."""
        above = [comment for comments in self._before.values() for comment in comments]
        return [*above, *self._behind.values(), *self._last]
