"""`doctor` prints what is found, and fails when something is missing."""

from collections.abc import Iterator

import pytest

from scar_pulumi.deployments import doctor
from scar_pulumi.deployments.doctor import Finding

from .conftest import Scar

FINDINGS = [
    Finding("disk", "ok", "plenty"),
    Finding("clock", "warn", "late", "set it"),
    Finding("port", "fail", "taken", "end it"),
]


@pytest.mark.parametrize(("count", "status"), [(2, 0), (3, 1)])
def test_every_finding_is_a_line_and_a_failed_one_an_error(
    scar: Scar, monkeypatch: pytest.MonkeyPatch, count: int, status: int
) -> None:
    def examine(stack: str) -> Iterator[Finding]:
        assert stack == "local"
        yield from FINDINGS[:count]

    monkeypatch.setattr(doctor, "examine", examine)
    answer = scar("doctor")
    assert answer.status == status
    lines = ["ok    disk: plenty", "warn  clock: late; set it", "FAIL  port: taken; end it"]
    assert answer.stdout.splitlines() == lines[:count]
    assert ("1 check failed: port" in answer.stderr) is (status == 1)
    assert scar("doctor", "--json").json["findings"] == [one.document() for one in FINDINGS[:count]]
