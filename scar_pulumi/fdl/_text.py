"""From a path to the text of the file, or to the one problem that keeps it from being read."""

import codecs
import re
import stat
from pathlib import Path

from scar_pulumi.fdl.problems import Mark, Report

# A thousand functions with full environments; more is a mistake, and reading /dev/zero must end.
MOST_BYTES = 8 * 1024 * 1024

# https://yaml.org/spec/1.2.2/#51-character-set; tabs and line ends are allowed here, \x7f is not text to anyone.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_text(path: Path, file: str, report: Report) -> str | None:
    """The file's text without a byte order mark; None after a problem was reported."""
    data = _read(path, file, report)
    text = None if data is None else _decode(data, file, report)
    if text is None or not (bad := _UNPRINTABLE.search(text)):
        return text
    report.error(
        _mark(file, text[: bad.start()]),
        "",
        f"contains the control character U+{ord(bad[0]):04X}",
        "an FDL file is YAML text; is this a binary file?",
    )
    return None


def _read(path: Path, file: str, report: Report) -> bytes | None:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            what = "is a directory" if stat.S_ISDIR(mode) else "is not a regular file"
            report.error(Mark(file), "", what, "give the FDL file itself")
            return None
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        report.error(Mark(file), "", "no such file", "check the path; it is relative to the current directory")
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        report.error(Mark(file), "", f"cannot be read: {reason}")
        return None
    if len(data) > MOST_BYTES:
        report.error(Mark(file), "", f"is larger than {MOST_BYTES // 1024 // 1024} MB", "split it into several stacks")
        return None
    return data


def _decode(data: bytes, file: str, report: Report) -> str | None:
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, errors="replace")
        report.error(
            _mark(file, before),
            "",
            f"byte 0x{data[error.start]:02x} is not {encoding.removesuffix('-sig').upper()} text",
            "save the file as UTF-8",
        )
        return None


def _mark(file: str, before: str) -> Mark:
    return Mark(file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
