"""The configuration that a function is deployed with."""

from tests.supervisor.conftest import Launch


def test_an_unknown_mode_ends_the_function_at_its_start(launch: Launch) -> None:
    container = launch(configuration={"execution_mode": "lamda"})
    assert container.process.wait(10) == 1
    assert container.api.outcome("init", 5).error_type == "Function.ConfigurationInvalid"
