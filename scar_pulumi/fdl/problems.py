"""Mistakes in an FDL file: one `Problem` each, gathered by a `Report`, thrown together as one `FdlError`."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from scar_foundation.errors import InputError

Severity = Literal["error", "warning"]


class Mark(NamedTuple):
    """A position: file (or "--set key=value"), line and column from 1; line 0 means all of it."""

    file: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake or note: where it stands, what is wrong, what to do.

    Attributes:
        file: The file as it was given, or "--set key=value".
        line: From 1; 0 where no line is meant.
        column: From 1; 0 where no column is meant.
        path: Place in the document, "functions.aws[1].lambda.memory"; "" for the document itself.
        message: What is wrong.
        hint: What to do about it, if there is something to say.
        severity: "error" refuses the file, "warning" doesn't.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str | None = None
    severity: Severity = "error"

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        what = f"{self.message}; {self.hint}" if self.hint else self.message
        return f"{where} {self.path}: {what}" if self.path else f"{where}: {what}"


class FdlError(InputError):
    """An FDL file has mistakes; `problems` holds all of them, in the order of the file, warnings included."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems if problem.severity == "error"))

    def __reduce__(self) -> tuple[type["FdlError"], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class Report:
    """Gathers problems; one that an anchor repeats at the same place counts once."""

    # Nobody reads more, and each one may cost a search for a similar word.
    MOST = 500

    def __init__(self) -> None:
        self._problems: dict[tuple[Mark, str], Problem] = {}
        self._elsewhere: dict[tuple[Mark, str], Problem] = {}

    @property
    def full(self) -> bool:
        """Whether further problems are dropped."""
        return len(self._problems) >= self.MOST

    @property
    def failed(self) -> bool:
        """Whether there is any error."""
        return any(problem.severity == "error" for problem in self._problems.values())

    def error(self, mark: Mark, path: str, message: str, hint: str | None = None) -> None:
        """Add a mistake: the file is refused."""
        self._add(mark, path, message, hint, severity="error")

    def warning(self, mark: Mark, path: str, message: str, hint: str | None = None) -> None:
        """Add a note: the file is accepted."""
        self._add(mark, path, message, hint)

    def elsewhere(self, mark: Mark, path: str, message: str, hint: str | None = None) -> None:
        """Add what only local stacks accept: others refuse it."""
        self._add(mark, path, message, hint, elsewhere=True)

    def problems(self) -> tuple[Problem, ...]:
        """Return all mistakes and notes so far, by position."""
        return _by_position(self._problems.values())

    def problems_elsewhere(self) -> tuple[Problem, ...]:
        """Return what only local stacks accept, by position."""
        return _by_position(self._elsewhere.values())

    def _add(
        self,
        mark: Mark,
        path: str,
        message: str,
        hint: str | None,
        *,
        severity: Severity = "warning",
        elsewhere: bool = False,
    ) -> None:
        # An error must never be lost to a flood of warnings.
        if not self.full or (severity == "error" and not self.failed):
            file, line, column = mark
            said = _printable(file), line, column, _printable(path), _printable(message), hint and _printable(hint)
            found = self._elsewhere if elsewhere else self._problems
            found.setdefault((mark, message), Problem(*said, severity))


def _by_position(problems: Collection[Problem]) -> tuple[Problem, ...]:
    files = dict.fromkeys(problem.file for problem in problems)
    order = {file: index for index, file in enumerate(files)}
    return tuple(sorted(problems, key=lambda problem: (order[problem.file], problem.line, problem.column)))


def _printable(text: str) -> str:
    """Return a text as one line that any terminal can print: names may hold line ends and escape sequences."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


_SIMPLE_NAME = re.compile(r"[\w-]{1,80}")
_LONGEST_SHOWN = 60


def shorten(text: str) -> str:
    """Return a text that fits into a message."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def quoted(text: str) -> str:
    """Return a text between quotes, short, with line ends and the like escaped."""
    return repr(shorten(text))


def quoted_path(text: str) -> str:
    """Return the path of a file between quotes; of a long one the end, which has the name."""
    return repr(text if len(text) <= _LONGEST_SHOWN else f"…{text[-_LONGEST_SHOWN:]}")


def join(path: str, name: str) -> str:
    """Return the path of a key in a map."""
    if not _SIMPLE_NAME.fullmatch(name):
        return f'{path}["{shorten(name)}"]'
    return f"{path}.{name}" if path else name


# Longer words are not typing mistakes, and comparing them takes long.
_LONGEST = 64


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that is most like a word, or None if none is."""
    if len(word) > _LONGEST:
        return None
    known = {plain_word(candidate): candidate for candidate in candidates}
    if (same := known.get(plain_word(word))) is not None:
        return same
    from difflib import get_close_matches  # noqa: PLC0415 - costs 3 ms, and correct files never need it

    found = get_close_matches(plain_word(word), known, n=1, cutoff=0.6)
    return known[found[0]] if found else None


def plain_word(word: str) -> str:
    """Return a word without case, hyphens and underscores, which people mix up first."""
    return word.lower().replace("-", "").replace("_", "")
