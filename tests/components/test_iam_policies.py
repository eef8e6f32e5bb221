import pytest

from scar_components.iam_policies import execution_policy
from scar_components.naming import repository_name, role_name
from scar_foundation.limits import IAM_ROLE_NAME_CHARACTERS


def test_role_names_fit_iam_and_differ_between_stacks() -> None:
    longest = "f" * 64
    names = {role_name(longest, "photos/dev"), role_name(longest, "photos/prod")}
    assert len(names) == 2
    assert all(len(name) <= IAM_ROLE_NAME_CHARACTERS for name in names)


@pytest.mark.parametrize("name", ["resize", "a-b-c", "x1"])
def test_legal_repository_names_stay_as_they_are(name: str) -> None:
    assert repository_name(name) == name


def test_names_that_ecr_refuses_are_changed_without_meeting() -> None:
    names = {repository_name(name) for name in ("Resize", "resize", "re_size", "re-size", "re--size", "-", "_")}
    assert len(names) == 7
    assert all(name == name.lower() for name in names)


def test_a_prefix_with_a_star_grants_that_prefix_alone() -> None:
    statements = execution_policy("aws", "arn:log", ["photos/a*b"], [])["Statement"]
    assert statements[1]["Resource"] == ["arn:aws:s3:::photos/a${*}b/*"]


def test_a_function_without_files_may_only_write_its_log() -> None:
    assert [statement["Sid"] for statement in execution_policy("aws", "arn:log", [], [])["Statement"]] == ["WriteLog"]
