"""Prepares the Pulumi engine and says which one is used: `python -m scar_pulumi.engine`."""

import sys

from scar_foundation.errors import EngineError
from scar_pulumi.engine.environment import cli_directory
from scar_pulumi.engine.find import find_engine


def main() -> int:
    """Prepare an engine; return exit code 0 when there is one, 1 when there is none."""
    try:
        engine = find_engine(lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    print(f"Pulumi {engine.version} from {engine.origin}: {cli_directory(engine) / 'pulumi'}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
