"""Amounts as Kubernetes writes them. https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/"""

import re

_MEGABYTE = 1024 * 1024
_DECIMAL = {"": 1, "m": 0.001, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_BINARY = {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", 1)}
_QUANTITY = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>[EPTGMK]i|[EPTGMkm]|e[0-9]+)?")


def amount(text: str) -> float:
    """The number that a quantity such as `512Mi` or `500m` stands for. Raises ValueError."""
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a quantity; write it like 512Mi, 2Gi, 0.5 or 500m")
    number, unit = float(found["number"]), found["unit"] or ""
    return number * (10.0 ** int(unit[1:]) if unit.startswith("e") else (_DECIMAL | _BINARY)[unit])


def megabytes(text: str) -> int:
    """An amount of memory in megabytes, rounded up. Raises ValueError."""
    return max(1, -int(-amount(text) // _MEGABYTE))
