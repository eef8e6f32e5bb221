"""What the genuine terraform-provider-aws says of the resource types that the stand-in serves.

`schemas.json` has its facts: they are printed by a program that is built from the provider's Go module
(`scripts/setup-aws-yardstick`). `python -m tests.stand_ins.genuine.schemas` writes the file anew.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from scar_pulumi.stand_ins.aws.types import TYPES

ROOT = Path(__file__).parents[3]
FILE = Path(__file__).with_name("schemas.json")

_LENGTHS = (38, 39, 63, 64, 65, 80, 81, 99, 100, 101, 102, 103, 128, 129, 140, 141, 255, 256, 257, 512, 513)
TEXTS = {
    "nothing": "",
    "a space": "a b",
    "a slash": "a/b",
    "upper case": "ABC",
    "a dot": "a.b",
    "an underscore": "a_b",
    "a dash": "a-b",
    "an accent": "é",
    "digits": "12345",
    "a word": "abc",
    "an object": "{}",
    "a list": "[]",
    "a colon": "a:b",
    "a star": "*",
    "a dollar": "$LATEST",
    "an address": "https://example.com/x",
    "a role": "arn:aws:iam::123456789012:role/r",
    "a function": "arn:aws:lambda:us-east-1:123456789012:function:f",
    "a log group": "arn:aws:logs:us-east-1:123456789012:log-group:g:*",
    "an action": "lambda:InvokeFunction",
    "an account": "123456789012",
    "a mount": "/mnt/files",
    "a yes": "true",
    **{f"{count} letters": "a" * count for count in (*_LENGTHS, 1000, 1001, 1024, 1025, 2048, 2049, 4096, 4097)},
}
"""The texts that both validations are asked about, by what is special about them."""

# Tokens whose Terraform name does not follow from them.
_TERRAFORM_NAMES = {
    "aws:s3/bucketObjectv2:BucketObjectv2": "aws_s3_object",
    "aws:s3/bucketV2:BucketV2": "aws_s3_bucket",
}


class Attribute(TypedDict):
    """One attribute, as `module/main.go` prints it; what is missing is false."""

    type: str
    required: NotRequired[bool]
    optional: NotRequired[bool]
    computed: NotRequired[bool]
    replace: NotRequired[bool]
    suppress: NotRequired[bool]
    default: NotRequired[Any]
    oneOf: NotRequired[list[str]]
    anyCase: NotRequired[bool]
    between: NotRequired[tuple[int, int]]
    refuses: NotRequired[list[str]]
    attributes: NotRequired[dict[str, "Attribute"]]


class Type(TypedDict):
    """One resource type."""

    customizeDiff: NotRequired[bool]
    attributes: dict[str, Attribute]


def terraform_name(token: str) -> str:
    """Return what Terraform calls a type: "aws_sqs_queue" for "aws:sqs/queue:Queue"."""
    service, class_ = token.split(":")[1].partition("/")[0], token.rpartition(":")[2]
    owner = "" if service == "ec2" else f"{service}_"
    return _TERRAFORM_NAMES.get(token) or f"aws_{owner}{snake(class_)}"


def snake(name: str) -> str:
    """Return a property's name as Terraform writes it."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def spellings(name: str) -> Iterator[str]:
    """Yield what Terraform may call a property: Pulumi has lists in the plural."""
    own = snake(name)
    yield own
    for ending, singular in (("ies", "y"), ("s", ""), ("es", "")):
        if own.endswith(ending):
            yield own.removesuffix(ending) + singular


def recorded() -> dict[str, Type]:
    """Return what is in the file, by Terraform's names."""
    found: dict[str, Type] = json.loads(FILE.read_text())
    return found


def printed(program: Path) -> dict[str, Type]:
    """Return what the genuine provider says now."""
    asked = {"types": sorted({terraform_name(token) for token in TYPES}), "texts": TEXTS}
    done = subprocess.run([program], input=json.dumps(asked), stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Type] = json.loads(done.stdout)
    return found


def program() -> Path:
    """Return the program, which is built when it is missing."""
    command = [ROOT / "scripts" / "setup-aws-yardstick"]
    return Path(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()) / "schemas"


if __name__ == "__main__":
    lines = [f"{json.dumps(name)}: {json.dumps(type_)}" for name, type_ in sorted(printed(program()).items())]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
