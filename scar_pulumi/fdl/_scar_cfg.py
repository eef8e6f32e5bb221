"""SCAR's own configuration file, as the lowest layer of defaults: read, never written.

It is `scar.cfg` in $SCAR_CONFIG_FOLDER or in ~/.scar; an empty SCAR_CONFIG_FOLDER switches it off. What SCAR keeps in
it for itself, and what has no meaning here, is left out silently: nobody wrote it into this file by hand.
"""

import os
from pathlib import Path

from scar_pulumi.fdl._compose import compose
from scar_pulumi.fdl._kinds import Kind, Section, Table
from scar_pulumi.fdl._nodes import Entry, ListNode, MapNode, Node, ScalarNode, is_null
from scar_pulumi.fdl._text import read_text
from scar_pulumi.fdl.problems import Report
from scar_pulumi.fdl.tables import DEFAULTS

# SCAR's settings of udocker, which images don't need.
_OF_ZIP_PACKAGES = "UDOCKER_"


def scar_cfg_file() -> Path | None:
    """The file to read, or None."""
    folder = os.environ.get("SCAR_CONFIG_FOLDER")
    if folder == "":
        return None
    # Unlike pathlib's, these don't raise without a home or without the right to look into it.
    path = os.path.join(folder or os.path.expanduser("~/.scar"), "scar.cfg")  # noqa: PTH111, PTH118
    return Path(path) if os.path.exists(path) else None  # noqa: PTH110


def read_scar_cfg(report: Report) -> MapNode | None:
    """What the file means here, as the defaults file would say it; None if there is none."""
    path = scar_cfg_file()
    text = None if path is None else read_text(path, str(path), report)
    # JSON is YAML, except for its tabs.
    node = None if text is None else compose(text.replace("\t", " "), str(path), report)
    return _meant(DEFAULTS, node) if isinstance(node, MapNode) else None


def _meant(kind: Section | Table, node: MapNode) -> MapNode:
    entries = {}
    for name, entry in node.entries.items():
        below = _kind(kind, name)
        if below is None or name.startswith(_OF_ZIP_PACKAGES) or _is_empty(entry.value):
            continue
        inside = isinstance(entry.value, MapNode) and isinstance(below, Section | Table)
        value: Node = _meant(below, entry.value) if inside else entry.value  # type: ignore[arg-type] # a map in a section
        if not _is_empty(value):
            entries[name] = Entry(entry.mark, value)
    return MapNode(node.mark, entries)


def _kind(kind: Section | Table, name: str) -> Kind | None:
    if isinstance(kind, Table):
        return kind.of
    key = kind.keys.get(name)
    return key.kind if key is not None and key.note is None else None


def _is_empty(node: Node) -> bool:
    if isinstance(node, ScalarNode):
        return is_null(node) or node.text == ""
    return not (node.items if isinstance(node, ListNode) else node.entries)
