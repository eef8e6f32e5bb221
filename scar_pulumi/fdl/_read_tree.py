"""."""

from pathlib import Path

from scar_pulumi.fdl._compose import compose
from scar_pulumi.fdl._nodes import MapNode, is_null
from scar_pulumi.fdl._text import read_text
from scar_pulumi.fdl.problems import Mark, Report


def read_tree(path: Path, report: Report) -> MapNode | None:
    """The file as it stands, in either format; None after a problem was reported."""
    file = str(path)
    text = read_text(path, file, report)
    if text is None:
        return None
    root = compose(text, file, report)
    if root is None and report.failed:
        return None
    if root is None or is_null(root):
        report.error(Mark(file, 1, 1), "", "the file is empty", "start it with 'functions:'")
    elif not isinstance(root, MapNode):
        report.error(root.mark, "", "the file is not a map of keys", "start it with 'functions:'")
    else:
        return root
    return None
