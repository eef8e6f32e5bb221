import re

import pytest

from scar_components.iam_policies import execution_policy
from scar_components.naming import bucket_prefix, repository_name, role_name, statement_id
from scar_foundation.limits import IAM_ROLE_NAME_CHARACTERS, S3_BUCKET_CHARACTERS


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


@pytest.mark.parametrize("name", ["my_func-environment-events", "x" * 64, "Ümläut", "a.b", "-", "a--b"])
def test_names_of_generated_buckets_are_legal_and_short_enough(name: str) -> None:
    prefix = bucket_prefix(name)
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,35}-", prefix)
    # The aws provider appends 26 digits.
    assert len(prefix) + 26 <= S3_BUCKET_CHARACTERS


def test_names_that_are_cut_or_changed_do_not_meet() -> None:
    names = ["my_func", "my-func", "my.func", "My-Func", "x" * 64, "x" * 65]
    assert bucket_prefix("my-func") == "my-func-"
    assert len({bucket_prefix(name) for name in names}) == len(names)
    assert len({repository_name("r" * 300), repository_name("r" * 301)}) == 2
    assert len(repository_name("r" * 300)) == 256


def test_ids_of_statements_are_legal() -> None:
    assert statement_id("bucket-photos_2024") == "bucket-photos_2024"
    assert re.fullmatch(r"bucket-photos-eu-[0-9a-f]{8}", statement_id("bucket-photos.eu"))
    assert len(statement_id("s" * 200)) == 100
    assert re.fullmatch(r"[\w-]{1,64}", role_name("a function: with words", "photos/dev"), re.ASCII)


def test_a_prefix_with_a_star_grants_that_prefix_alone() -> None:
    statements = execution_policy("aws", "arn:log", ["photos/a*b"], [])["Statement"]
    assert statements[1]["Resource"] == ["arn:aws:s3:::photos/a${*}b/*"]


def test_a_function_without_files_may_only_write_its_log() -> None:
    assert [statement["Sid"] for statement in execution_policy("aws", "arn:log", [], [])["Statement"]] == ["WriteLog"]
