"""The user-wide defaults file: what every FDL file of a person or a machine starts from.

It has `aws:`, one element of `functions.aws` without a name, `oscar:` with a service below each cluster's id,
`storage_providers:` and `clusters:`. Environment variable `SCAR_DEFAULTS` names another file; empty, it switches this
off. Below it lies SCAR's own configuration file.
"""

import os
from pathlib import Path

from scar_pulumi.fdl._compose import compose
from scar_pulumi.fdl._merge import merge
from scar_pulumi.fdl._nodes import MapNode, is_null
from scar_pulumi.fdl._scar_cfg import read_scar_cfg
from scar_pulumi.fdl._suggest import closest
from scar_pulumi.fdl._text import read_text
from scar_pulumi.fdl.problems import Mark, Report
from scar_pulumi.fdl.tables import DEFAULTS


def defaults_file() -> Path | None:
    """The file to read, or None: a file named by the environment must exist, the usual one need not."""
    named = os.environ.get("SCAR_DEFAULTS")
    if named is not None:
        return Path(named) if named else None
    # Unlike pathlib's, these don't raise without a home or without the right to look into it.
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111
    usual = Path(base, "scar-pulumi", "defaults.yaml")
    return usual if os.path.exists(usual) else None  # noqa: PTH110


def read_defaults(report: Report) -> MapNode | None:
    """The defaults of both files as a positioned tree, or None if there are none."""
    own, scar_cfg = _read_own(report), read_scar_cfg(report)
    if own is None or scar_cfg is None:
        return own or scar_cfg
    merged = merge(scar_cfg, own)
    return merged if isinstance(merged, MapNode) else own


def _read_own(report: Report) -> MapNode | None:
    path = defaults_file()
    text = None if path is None else read_text(path, str(path), report)
    node = None if text is None else compose(text, str(path), report)
    if node is None or is_null(node):
        return None
    if not isinstance(node, MapNode):
        report.error(node.mark, "", "the defaults file is not a map", "start it with 'aws:'")
        return None
    for name, entry in node.entries.items():
        if name not in DEFAULTS.keys:
            match = closest(name, DEFAULTS.keys)
            hint = f"did you mean '{match}'?" if match else "it has 'aws:' and 'storage_providers:'"
            report.error(Mark(*entry.mark), name, f"the key '{name[:60]}' is unknown in the defaults file", hint)
    return node
