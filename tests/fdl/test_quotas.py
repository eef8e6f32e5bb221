"""Quotas of AWS that a file meets as a whole are told by the check, and not by a deployment half-way."""

import pytest

from tests.fdl.conftest import Load, Mistakes

_HEAD = "functions:\n  aws:\n  - lambda:\n      name: many\n      container: {image: debian}\n"


def _inputs(*paths: str, key: str = "input", provider: str = "s3.default") -> str:
    lines = [f"      - {{storage_provider: {provider}, path: {path}}}\n" for path in paths]
    return f"      {key}:\n" + "".join(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            _HEAD + _inputs(*(f"bucket-{number:03}/{'f' * 200}" for number in range(40))),
            "3:5 functions.aws[0]: the places of its files make the policy of its role about",
        ),
        (
            _HEAD + _inputs(*(f"{number:03}-{'b' * 59}" for number in range(50))),
            "7:7 functions.aws[0].lambda.input: 50 buckets start 'many'; their permissions take about",
        ),
        (_HEAD + _inputs("photos/" + "é" * 180), "takes 1,081 characters as S3 writes it"),
    ],
    ids=["role", "permissions", "filter"],
)
def test_what_a_file_makes_together_fits(mistakes: Mistakes, text: str, said: str) -> None:
    assert [problem for problem in mistakes(text) if said in problem]


def test_a_job_definition_has_a_largest_size(mistakes: Mistakes, load_text: Load) -> None:
    batch = "    batch: {environment: {Variables: {BIG: '" + "x" * 23_000 + "'}}}\n"
    found = mistakes(_HEAD + "      execution_mode: batch\n" + batch)
    assert any("AWS Batch allows 24,576" in problem for problem in found)
    load_text(_HEAD + batch)
    load_text(_HEAD + "      execution_mode: batch\n" + batch.replace("x" * 3000, ""))


def test_the_settings_of_a_storage_fit_into_a_parameter(mistakes: Mistakes, load_text: Load) -> None:
    storage = (
        "storage_providers:\n  minio:\n    mine:\n      endpoint: https://minio.example.org\n"
        "      access_key: key\n      secret_key: '{}'\n"
    )
    file = _HEAD + _inputs("out/put", key="output", provider="minio.mine")
    found = mistakes(file + storage.format("x" * 4100))
    assert [problem for problem in found if "has at most 4,096" in problem]
    load_text(file + storage.format("x" * 3900))


def test_a_given_role_and_places_elsewhere_have_no_policy_of_ours(mistakes: Mistakes) -> None:
    role = "    iam: {role: 'arn:aws:iam::123456789012:role/mine'}\n"
    paths = [f"bucket-{number:03}/{'f' * 200}" for number in range(40)]
    assert not [problem for problem in mistakes(_HEAD + _inputs(*paths) + role) if "policy of its role" in problem]
