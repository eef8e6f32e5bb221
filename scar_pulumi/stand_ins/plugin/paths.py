"""Property paths as the engine writes them: `tags.owner`, `rules[0]`, `tags["a.b"]`.

https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/property_path.go
"""

import json

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


def joined(path: str, key: str) -> str:
    """A path with a map's key added."""
    if not key or not _PLAIN.issuperset(key):
        return f"{path}[{json.dumps(key)}]"
    return f"{path}.{key}" if path else key


def top(path: str) -> str:
    """The top-level property of a path."""
    return path.partition(".")[0].partition("[")[0]
