"""Environment variables and tags: names, sizes, and what is taken."""

from scar_pulumi.fdl._kinds import Key, Rule, Section, Table, Text

VARIABLES_LINK = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"
TAGS_LINK = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html"

_NAME = Text(
    what="a variable's name",
    rules=(
        Rule(
            r"[a-zA-Z][a-zA-Z0-9_]+",
            "is not a name that Lambda accepts for a variable",
            "use two or more letters, digits and '_', with a letter first",
        ),
    ),
)

# The second group is what the supervisor sets anew for each event.
_RESERVED = frozenset(
    (
        *("_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_*"),
        *("AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
        *("SCAR_FUNCTION", "INPUT_FILE_PATH", "TMP_INPUT_DIR", "TMP_OUTPUT_DIR"),
    ),
)


def environment(doc: str) -> Key:
    """A section `environment` with `Variables` in it, as Lambda's own interface has it."""
    return Key(
        doc=doc,
        kind=Section(
            keys={
                "Variables": Key(
                    doc=f"{doc} Numbers and true/false are passed on as written.",
                    kind=Table(
                        names=_NAME,
                        of=Text(loose=True),
                        reserved=_RESERVED,
                        reserved_by="Lambda or the supervisor",
                    ),
                    link=VARIABLES_LINK,
                    secret=True,
                ),
            },
            unknown_hint="variables are listed below 'Variables:'",
        ),
    )


_TAG_CHARACTERS = Rule(
    r"[\w\s.:/=+\-@]*",
    "has characters that AWS refuses in tags",
    "use letters, digits, spaces and _ . : / = + - @",
)

TAGS = Key(
    doc="AWS tags of everything that belongs to the function.",
    kind=Table(
        names=Text(
            what="a tag's name",
            longest=128,
            rules=(Rule(r"^[aA][wW][sS]:", "starts with 'aws:', which AWS reserves", None, True), _TAG_CHARACTERS),
        ),
        of=Text(what="a tag's value", longest=256, rules=(_TAG_CHARACTERS,), loose=True),
        most=50,
    ),
    link=TAGS_LINK,
)
