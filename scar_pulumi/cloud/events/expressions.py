"""When a schedule is due: at(…), rate(…) and cron(…) expressions.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aws_croniter import AwsCroniter

_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}
_RATE = re.compile(r"rate\((?P<count>[1-9][0-9]*) (?P<unit>minute|hour|day)(?P<plural>s?)\)")
_AT = re.compile(r"at\((?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_CRON = re.compile(r"cron\((?P<fields>[^()]+)\)")


class ExpressionError(ValueError):
    """A text is no schedule expression, or a name no time zone."""


@dataclass(frozen=True)
class Expression:
    """A schedule expression in a time zone."""

    text: str
    zone: str = "UTC"

    def check(self, *, one_time: bool) -> None:
        """Raise ExpressionError for what AWS does not take. Rules of EventBridge have no `one_time` expressions."""
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ExpressionError(f"{self.zone!r} is no time zone such as Europe/Madrid") from None
        if found := _RATE.fullmatch(self.text):
            # Rules insist on the number of the noun, schedules do not.
            if not one_time and (int(found["count"]) > 1) != bool(found["plural"]):
                raise ExpressionError(f"{self.text}: write rate(1 minute), and rate(2 minutes)")
            return
        if one_time and (found := _AT.fullmatch(self.text)):
            datetime_of(found["moment"], self.zone)
            return
        found = _CRON.fullmatch(self.text)
        if not found:
            forms = "at(2026-01-31T12:00:00), " if one_time else ""
            raise ExpressionError(f"{self.text!r} is no schedule; use {forms}rate(5 minutes) or cron(0 12 * * ? *)")
        try:
            AwsCroniter(found["fields"])
        except (ValueError, KeyError, IndexError) as error:
            raise ExpressionError(f"{self.text}: {error}") from None

    @property
    def is_one_time(self) -> bool:
        """Whether it means one moment."""
        return _AT.fullmatch(self.text) is not None

    def first(self, start: float) -> float | None:
        """Return the first moment that is due, at the start or later, in seconds since the epoch."""
        if found := _AT.fullmatch(self.text):
            return datetime_of(found["moment"], self.zone)
        return start if _RATE.fullmatch(self.text) else self._cron(start - 1)

    def following(self, due: float, now: float) -> float | None:
        """Return the next moment after one that was due. Those missed meanwhile are one."""
        if _AT.fullmatch(self.text):
            return None
        if found := _RATE.fullmatch(self.text):
            period = int(found["count"]) * _SECONDS[found["unit"]]
            return due + period * (1 + int(max(0.0, now - due) // period))
        return self._cron(max(due, now))

    def _cron(self, after: float) -> float | None:
        """Return the next moment after one. Wall clock times that a change of the clock skips are left out."""
        found = _CRON.fullmatch(self.text)
        assert found is not None, self.text
        zone = ZoneInfo(self.zone)
        wall = datetime.fromtimestamp(after, zone).replace(tzinfo=UTC)
        (following,) = AwsCroniter(found["fields"]).get_next(wall, 1)
        return None if following is None else following.replace(tzinfo=zone).timestamp()


def datetime_of(text: str, zone: str) -> float:
    """Return a moment of the wall clock in a zone, in seconds since the epoch. Raises ExpressionError."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()
    except ValueError as error:
        raise ExpressionError(f"{text}: {error}") from None
