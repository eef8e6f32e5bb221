"""Count the temperatures of each station, in the form that MARLA's programs have."""


def mapper(chunk: str) -> list[tuple[str, int]]:
    """Return (station, 1) for each line `station temperature`."""
    pairs = []
    for line in chunk.split("\n"):
        fields = line.split()
        if len(fields) == 2:
            pairs.append((fields[0], 1))
    return pairs


def reducer(pairs: list[tuple[str, str]]) -> list[tuple[str, int]]:
    """Return (station, count) for pairs that are sorted by station."""
    counts: dict[str, int] = {}
    for name, value in pairs:
        counts[name] = counts.get(name, 0) + int(value)
    return list(counts.items())
