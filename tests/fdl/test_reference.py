"""The reference in the documentation says what the tables say."""

import re

from scar_pulumi.fdl.format_2019 import FUNCTION_2019
from scar_pulumi.fdl.reference import REFERENCE, reference


def test_the_committed_reference_is_current() -> None:
    assert REFERENCE.read_text() == reference(), "write it anew: python -m scar_pulumi.fdl.reference"


def test_it_tells_type_limits_default_and_what_a_key_is_for() -> None:
    rows = reference().splitlines()
    memory = next(row for row in rows if row.startswith("| `memory` |"))
    assert memory.startswith(
        "| `memory` | whole number, 128 to 10240 MB | `512` | Memory in MB. [AWS](https://docs.aws."
    )
    assert "| `container.alpine` | Whether the image uses musl. | the supervisor runs in every Linux image |" in rows
    assert "- Exactly one of `container.image` and `container.image_file` is needed." in rows
    assert "| `time` | `lambda.timeout` | Seconds after which an invocation is stopped. |" in rows


def test_every_key_of_2019_is_in_it() -> None:
    told = set(re.findall(r"^\| `([a-z0-9_]+)` \|", reference().partition("## The format of 2019")[2], re.MULTILINE))
    assert told == FUNCTION_2019.keys.keys()
