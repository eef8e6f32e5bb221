"""When schedules are due, by the expressions of AWS's documentation."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from scar_pulumi.cloud.events.expressions import Expression, ExpressionError


def moment(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


NOON = moment("2026-12-01T12:00:00")


@pytest.mark.parametrize(
    ("text", "following"),
    [
        ("rate(5 minutes)", "2026-12-01T12:05:00"),
        ("rate(1 hour)", "2026-12-01T13:00:00"),
        ("rate(2 days)", "2026-12-03T12:00:00"),
        ("cron(0 10 * * ? *)", "2026-12-02T10:00:00"),
        ("cron(15 12 * * ? *)", "2026-12-01T12:15:00"),
        ("cron(0 18 ? * MON-FRI *)", "2026-12-01T18:00:00"),
        ("cron(0 8 1 * ? *)", "2027-01-01T08:00:00"),
        ("cron(0/10 * ? * MON-FRI *)", "2026-12-01T12:10:00"),
        ("cron(0 0 L * ? *)", "2026-12-31T00:00:00"),
        ("cron(0 9 ? * 2#1 *)", "2026-12-07T09:00:00"),
    ],
)
def test_the_next_moment_follows(text: str, following: str) -> None:
    Expression(text).check(one_time=True)
    assert Expression(text).following(NOON, NOON) == moment(following)


def test_what_was_missed_is_due_once() -> None:
    late = NOON + 3600 + 60
    assert Expression("rate(10 minutes)").following(NOON, late) == NOON + 3600 + 600
    assert Expression("cron(0/10 * * * ? *)").following(NOON, late) == NOON + 3600 + 600


def test_a_schedule_follows_the_clock_of_its_zone() -> None:
    madrid = Expression("cron(0 9 * * ? *)", "Europe/Madrid")
    winter, summer = moment("2026-12-01T00:00:00"), moment("2026-07-01T00:00:00")
    assert datetime.fromtimestamp(madrid.following(winter, winter) or 0, UTC).hour == 8
    assert datetime.fromtimestamp(madrid.following(summer, summer) or 0, UTC).hour == 7
    once = Expression("at(2026-12-24T20:00:00)", "America/New_York")
    assert once.first(NOON) == moment("2026-12-24T20:00:00", "America/New_York")
    assert once.following(NOON, NOON) is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "rate(0 minutes)", "rate(5)", "rate(5 seconds)", "rate(-1 minutes)", "every(5 minutes)"),
        *("cron(* * * * * *)", "cron(61 * * * ? *)", "cron(0 12 * * ?)", "at(2026-13-01T00:00:00)", "at(tomorrow)"),
    ],
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        Expression(text).check(one_time=True)


def test_rules_are_stricter_than_schedules() -> None:
    Expression("rate(1 minutes)").check(one_time=True)
    for text in ("rate(1 minutes)", "rate(2 minute)", "at(2026-12-24T20:00:00)"):
        with pytest.raises(ExpressionError):
            Expression(text).check(one_time=False)
    with pytest.raises(ExpressionError, match="no time zone"):
        Expression("rate(1 minute)", "Mars/Base").check(one_time=True)
