"""Kinds and sentences that several sections share."""

from scar_pulumi.fdl._kinds import Rule, Text

CREDENTIALS_NOTE = "credentials are the stack's: set aws:profile in its configuration, or AWS_PROFILE"

# https://docs.aws.amazon.com/general/latest/gr/rande.html
REGION = Text(
    what="a region",
    rules=(
        Rule(r"[a-z]{2}(?:-[a-z]+){1,2}-[0-9]{1,2}", "is not the name of an AWS region", "write it like us-east-1"),
    ),
)

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET = Text(
    what="a bucket name",
    longest=63,
    rules=(
        Rule(r".{3,}", "is too short for a bucket name", "bucket names have 3 to 63 characters"),
        Rule(r"[A-Z]", "has upper-case letters, which bucket names cannot have", "use lower case", True),
        Rule(r"_", "has an underscore, which bucket names cannot have", "use '-'", True),
        Rule(
            r"[^a-z0-9.-]",
            "is not a bucket name",
            "use lower-case letters, digits, '-' and '.'; the bucket is what stands before the first '/'",
            True,
        ),
        Rule(r"^[.-]|[.-]$", "does not start and end with a letter or digit, as bucket names must", None, True),
        Rule(r"\.\.", "has two dots in a row, which bucket names cannot have", None, True),
        Rule(r"^[0-9]+(?:\.[0-9]+){3}$", "looks like an IP address, which bucket names cannot", None, True),
        Rule(
            r"^(?:xn--|sthree-|amzn-s3-demo-)|(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$",
            "starts or ends with something that S3 reserves",
            "choose another bucket name",
            True,
        ),
    ),
)

# The grammar of https://pkg.go.dev/github.com/distribution/reference
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]+)?/)?"
_NAME = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
IMAGE = Text(
    what="an image reference",
    longest=1024,
    rules=(
        Rule(r"^[a-z]+://", "starts with a URL scheme", "write registry/name:tag without it", True),
        Rule(r"\s", "contains a space", "write registry/name:tag", True),
        Rule(
            r"\.(?:tar|tar\.gz|tgz|tar\.xz)$",
            "looks like the name of an archive",
            "give archives as 'image_file'",
            True,
        ),
        Rule(
            rf"{_HOST}{_NAME}(?:/{_NAME})*(?::\w[\w.-]{{0,127}})?(?:@[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{{32,}})?",
            "is not an image reference",
            "write it like debian:12 or registry.example.org/group/name:tag; names are lower case",
        ),
    ),
)
