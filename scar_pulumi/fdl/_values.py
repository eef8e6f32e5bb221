"""Markers for values that cannot be used."""

from enum import Enum


class Missing(Enum):
    """What stands in for a value: INVALID after its problem was reported, ABSENT as if it had not been given."""

    INVALID = "invalid"
    ABSENT = "absent"


INVALID = Missing.INVALID
ABSENT = Missing.ABSENT
