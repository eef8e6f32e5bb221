"""Whether a job that failed is tried again: its number of attempts, and what evaluateOnExit says of its end.

https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html
"""

import re
from collections.abc import Mapping
from typing import Any

_CONDITIONS = {"onExitCode": "exitCode", "onReason": "reason", "onStatusReason": "statusReason"}


def is_retried(strategy: Mapping[str, Any], attempts: int, ended: Mapping[str, Any]) -> bool:
    """`attempts` is how many there were, `ended` has exitCode, reason and statusReason of the last one."""
    if attempts >= strategy.get("attempts", 1):
        return False
    for rule in strategy.get("evaluateOnExit") or ():
        conditions = {key: rule[key] for key in _CONDITIONS if key in rule}
        if all(_matches(pattern, ended.get(_CONDITIONS[key])) for key, pattern in conditions.items()):
            return str(rule["action"]).upper() == "RETRY"
    return True


def _matches(pattern: str, value: object) -> bool:
    """Whether a text is like the pattern: case does not count, and a star at the end stands for anything."""
    if value is None:
        return False
    wanted = re.escape(pattern.removesuffix("*")) + (".*" if pattern.endswith("*") else "")
    return re.fullmatch(wanted, str(value), re.IGNORECASE | re.DOTALL) is not None
