"""How the settings of functions are stored in MiniStack, and shown to clients."""

from typing import Any

import pytest

from scar_pulumi.cloud.lambda_.functions import hide_concurrency, pin_image, restore, sink_log_group

DIGEST = "sha256:" + "a" * 64
REPOSITORY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/tool"


@pytest.mark.parametrize(
    ("uri", "shown", "resolved"),
    [
        (f"{REPOSITORY}:v1", f"{REPOSITORY}:v1", f"{REPOSITORY}@{DIGEST}"),
        (f"{REPOSITORY}@{DIGEST}", f"{REPOSITORY}@{DIGEST}", f"{REPOSITORY}@{DIGEST}"),
    ],
)
def test_a_pinned_image_is_shown_as_it_was_given(uri: str, shown: str, resolved: str) -> None:
    pinned = pin_image(uri, DIGEST)
    document = {
        "Configuration": {"ImageUri": pinned, "CodeSha256": ""},
        "Code": {"ImageUri": pinned, "ResolvedImageUri": pinned},
    }
    restored = restore(document)
    assert restored["Code"] == {"ImageUri": shown, "ResolvedImageUri": resolved}
    assert restored["Configuration"]["CodeSha256"] == "a" * 64


@pytest.mark.parametrize("given", [{}, {"LoggingConfig": {"LogGroup": "/mine", "LogFormat": "JSON"}}])
def test_the_log_group_is_hidden_from_the_emulator_and_shown_to_clients(given: dict[str, Any]) -> None:
    sent = sink_log_group(given, "f")
    wanted = given.get("LoggingConfig", {"LogGroup": "/aws/lambda/f", "LogFormat": "Text"})
    assert sent["LoggingConfig"]["LogGroup"] != wanted["LogGroup"]
    assert restore(sent)["LoggingConfig"] == wanted


@pytest.mark.parametrize("reserved", [0, 1, 900])
def test_reserved_concurrency_is_hidden_and_shown(reserved: int) -> None:
    sent = hide_concurrency({"ReservedConcurrentExecutions": reserved})
    assert sent["ReservedConcurrentExecutions"] > 100_000
    assert restore({"Concurrency": sent}) == {"Concurrency": {"ReservedConcurrentExecutions": reserved}}


def test_a_users_variables_are_never_rewritten() -> None:
    variables = {"ImageUri": f"{REPOSITORY}:v1@{DIGEST}", "LogGroup": "/_scar/x"}
    assert restore({"Environment": {"Variables": variables}})["Environment"]["Variables"] == variables
