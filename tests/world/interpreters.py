"""CPythons of this machine besides the one that runs the tests."""

import shutil
import subprocess
import sys


def other_interpreters() -> list[str]:
    """Return the interpreters of another make that are new enough for this project."""
    candidates = ["/usr/bin/python3", *(shutil.which(f"python3.{minor}") or "" for minor in range(11, 15))]
    found: dict[str, str] = {}
    for candidate in filter(None, candidates):
        shown = subprocess.run(
            [candidate, "-c", "import sys; print(sys.version_info >= (3, 11), sys.base_prefix)"],
            capture_output=True,
            check=False,
            text=True,
        ).stdout.split()
        if shown[:1] == ["True"] and shown[1] != sys.base_prefix:
            found.setdefault(shown[1], candidate)
    return list(found.values())
