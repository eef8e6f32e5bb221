"""The manifests of clusters of every kind, printed as JSON: Pulumi's mocks and its real engine share no process."""

import json
import subprocess
import sys
from typing import Any

from tests.components.oscar_cluster.test_manifests import ANOTHER_WAY, EVERYTHING, declared
from tests.world.pulumi_mocks import Recorder


def manifests() -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.kubernetes.manifests"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def _main() -> None:
    import pulumi

    found = []
    for arguments in ({}, EVERYTHING, ANOTHER_WAY):
        recorder = Recorder()
        pulumi.runtime.set_mocks(recorder, project="photos", stack="dev", preview=False)
        found += declared(recorder, arguments)
    print(json.dumps(found))


if __name__ == "__main__":
    _main()
