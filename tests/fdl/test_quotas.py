"""Quotas of AWS that single values meet are told by the check; those of whole documents are in tests/deploy."""

from tests.fdl.conftest import Load, Mistakes

_HEAD = "functions:\n  aws:\n  - lambda:\n      name: many\n      container: {image: debian}\n"


def _inputs(*paths: str, key: str = "input", provider: str = "s3.default") -> str:
    lines = [f"      - {{storage_provider: {provider}, path: {path}}}\n" for path in paths]
    return f"      {key}:\n" + "".join(lines)


def test_a_filter_has_a_longest_value(mistakes: Mistakes) -> None:
    said = "takes 1,081 characters as S3 writes it"
    assert [problem for problem in mistakes(_HEAD + _inputs("photos/" + "é" * 180)) if said in problem]


def test_the_settings_of_a_storage_fit_into_a_parameter(mistakes: Mistakes, load_text: Load) -> None:
    storage = (
        "storage_providers:\n  minio:\n    mine:\n      endpoint: https://minio.example.org\n"
        "      access_key: key\n      secret_key: '{}'\n"
    )
    file = _HEAD + _inputs("out/put", key="output", provider="minio.mine")
    found = mistakes(file + storage.format("x" * 4100))
    assert [problem for problem in found if "has at most 4,096" in problem]
    load_text(file + storage.format("x" * 3900))
