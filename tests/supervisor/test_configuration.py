"""The configuration that a function is deployed with, and what it has in common with the rest of the project."""

import json
from typing import Any

import pytest

from scar_foundation import limits as limits_of_all
from scar_pulumi.client.clients import verifies
from supervisor import limits
from supervisor.configuration import read_configuration, truth
from supervisor.storage import Settings
from tests.supervisor.conftest import Launch


def test_an_unknown_mode_ends_the_function_at_its_start(launch: Launch) -> None:
    container = launch(configuration={"execution_mode": "lamda"})
    assert container.process.wait(10) == 1
    assert container.api.outcome("init", 5).error_type == "Function.ConfigurationInvalid"


@pytest.mark.parametrize(
    ("value", "on"),
    [
        *((word, True) for word in (True, 1, "true", "True", "yes", "on", "y", "1", " TRUE ", "anything")),
        *((word, False) for word in (False, 0, None, "", " ", "false", "False", "no", "off", "OFF", "n", "0", " no ")),
    ],
)
def test_a_setting_is_on_unless_it_says_no(value: Any, on: bool) -> None:
    assert truth(value) is on
    assert read_configuration({"SCAR_FUNCTION": json.dumps({"file_stage_in": value})}).file_stage_in is on


@pytest.mark.parametrize(
    "value", [True, False, 0, 1, None, "", "true", "no", "off", "n", "y", "0", "1", "False", " no ", "anything"]
)
def test_a_function_and_its_client_check_the_same_certificates(value: Any) -> None:
    settings = {"verify": value}
    assert Settings("minio.mine", settings).verify is verifies(settings)


def test_a_certificate_is_checked_where_the_settings_say_nothing() -> None:
    assert Settings("minio.mine", {}).verify is verifies({}) is True


def test_limits_are_those_of_the_whole_project() -> None:
    """The supervisor imports nothing of the project, so it repeats them."""
    ours = {name: value for name, value in vars(limits).items() if name.isupper()}
    theirs = {**vars(limits_of_all), "LAMBDA_LONGEST_TIMEOUT": limits_of_all.LAMBDA_TIMEOUT.most}
    assert {name: theirs.get(name, value) for name, value in ours.items()} == ours
    assert set(ours) - set(theirs) == {"REST_API_TIMEOUT"}
