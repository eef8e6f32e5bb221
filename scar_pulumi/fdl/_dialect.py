"""Which of SCAR's formats a file is written in."""

from scar_pulumi.fdl._nodes import MapNode
from scar_pulumi.fdl.tables import FUNCTIONS
from scar_pulumi.fdl.tables.format_2019 import FUNCTION_2019


def is_2019_format(root: MapNode) -> bool:
    """Whether `functions` maps names to settings, as the format of 2019 does."""
    functions = root.get("functions")
    if not isinstance(functions, MapNode) or functions.entries.keys() & FUNCTIONS.keys.keys():
        return False
    return any(
        isinstance(entry.value, MapNode) and entry.value.entries.keys() & FUNCTION_2019.keys.keys()
        for entry in functions.entries.values()
    )
