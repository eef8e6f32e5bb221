"""Count the temperatures of each station, in the form that MARLA's programs have."""


def mapper(chunk):
    """Return (station, 1) for each line `station temperature`."""
    pairs = []
    for line in chunk.split("\n"):
        fields = line.split()
        if len(fields) == 2:
            pairs.append((fields[0], 1))
    return pairs


def reducer(pairs):
    """Return [station, count] for pairs that are sorted by station."""
    results = []
    for name, value in pairs:
        if results and results[-1][0] == name:
            results[-1][1] += int(value)
        else:
            results.append([name, int(value)])
    return results
