"""The stages in containers: the layer has what they need, in images without anything, and as jobs of an array."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from tests.supervisor.conftest import Launch
from tests.supervisor.container import Container
from tests.supervisor.objects import body, bucket, keys

TEXT = b"the quick brown fox jumps over the lazy dog\nthe end\n" * 40
MAPPER = "#!/bin/sh\nfor word in $(cat $INPUT_FILE_PATH); do printf '%s\\t1\\n' $word; done\n"
REDUCER = """#!/bin/sh
last= sum=0
while read -r word count; do
    if [ "$word" != "$last" ]; then
        [ -n "$last" ] && printf '%s\\t%s\\n' "$last" $sum
        last=$word sum=0
    fi
    sum=$((sum + count))
done
[ -n "$last" ] && printf '%s\\t%s\\n' "$last" $sum
true
"""


class Deployed:
    """The four functions of a MapReduce, each in a container of its own."""

    def __init__(self, launch: Launch, name: str, credentials: dict[str, str], **section: Any) -> None:
        self._launch, self._name, self._credentials = launch, name, credentials
        self._section = {"work": f"{name}/work", "reducers": 2, "digest": "d", **section}

    def start(self, stage: str, root: str = "empty", **more: Any) -> Container:
        scripts = {"map": MAPPER, "reduce": REDUCER}
        configuration = {
            "inputs": [{"storage_provider": "s3", "path": f"{self._name}/in"}],
            "outputs": [{"storage_provider": "s3", "path": f"{self._name}/out"}],
            "mapreduce": {**self._section, "stage": stage},
        }
        environment = {**self._credentials, **more.pop("environment", {})}
        script = more.pop("script", scripts.get(stage))
        return self._launch(root, script=script, configuration=configuration, environment=environment, **more)


def answered(container: Container, event: dict[str, Any]) -> dict[str, Any]:
    outcome = container.invoke(event)
    assert not outcome.failed, outcome
    return dict(outcome.document)


def run_of(s3: Any, name: str, key: str) -> dict[str, Any]:
    head = s3.head_object(Bucket=name, Key=key)
    return {
        "run": "0123456789abcdef" * 2,
        "bucket": name,
        "key": key,
        "version": None,
        "etag": head["ETag"],
        "size": head["ContentLength"],
    }


def test_all_stages_run_from_the_layer(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    name = bucket(s3, "mapreduce-stages")
    s3.put_object(Bucket=name, Key="in/x", Body=TEXT)
    run = run_of(s3, name, "in/x")
    deployed = Deployed(launch, name, credentials, split={"size": 900})
    plan = answered(deployed.start("plan"), {"mapreduce": "plan", "run": run})
    assert plan["map_count"] == 3
    for stage, place in (("map", "tasks"), ("reduce", "reduce_tasks")):
        container = deployed.start(stage, "busybox")
        for line in body(s3, name, plan[place]["key"]).splitlines():
            answered(container, json.loads(line))
    success = answered(deployed.start("commit"), {"mapreduce": "commit", "run": run})
    assert success["records"] == 80
    lines = b"".join(body(s3, name, f"out/x/part-0000{number}") for number in range(2)).decode().splitlines()
    assert dict(line.split("\t") for line in lines) == {
        word: str(count) for word, count in Counter(TEXT.decode().split()).items()
    }


def test_children_of_a_job_array_find_their_task(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    name = bucket(s3, "mapreduce-array")
    s3.put_object(Bucket=name, Key="in/x", Body=TEXT)
    run = run_of(s3, name, "in/x")
    deployed = Deployed(launch, name, credentials, split={"size": 1500}, engine="batch", memory=512)
    answered(deployed.start("plan"), {"mapreduce": "plan", "run": run})
    folder = f"work/{run['run'][:2]}/{run['run']}/"
    for index in ("0", "1", "2"):  # one more than there are tasks
        environment = {
            "AWS_LAMBDA_RUNTIME_API": "",
            "AWS_BATCH_JOB_ID": f"job:{index}",
            "AWS_BATCH_JOB_ARRAY_INDEX": index,
            "EVENT": json.dumps({"mapreduce": "map", "run": run["run"]}),
        }
        container = deployed.start("map", "busybox", environment=environment)
        assert container.process.wait(60) == 0, container.log
    assert [key for key in keys(s3, name) if key.startswith(f"{folder}m/")] == [
        f"{folder}m/0000{number}.json" for number in range(2)
    ]


def test_a_job_that_fails_exits_as_its_mapper_and_keeps_why(
    launch: Launch, s3: Any, credentials: dict[str, str]
) -> None:
    name = bucket(s3, "mapreduce-failing-job")
    s3.put_object(Bucket=name, Key="in/x", Body=TEXT)
    run = run_of(s3, name, "in/x")
    deployed = Deployed(launch, name, credentials)
    answered(deployed.start("plan"), {"mapreduce": "plan", "run": run})
    environment = {
        "AWS_LAMBDA_RUNTIME_API": "",
        "AWS_BATCH_JOB_ID": "job:0",
        "AWS_BATCH_JOB_ARRAY_INDEX": "0",
        "EVENT": json.dumps({"mapreduce": "map", "run": run["run"]}),
    }
    container = deployed.start("map", "busybox", environment=environment, script="#!/bin/sh\necho why >&2; exit 9\n")
    assert container.process.wait(60) == 9
    kept = json.loads(body(s3, name, f"work/{run['run'][:2]}/{run['run']}/e/map-0.json"))
    assert kept["error"] == "ScriptFailed"
    assert re.search(r"(?s)exit code 9.*why", kept["message"])


def test_a_large_split_with_many_pairs_passes_through_little_memory(
    launch: Launch, s3: Any, credentials: dict[str, str]
) -> None:
    name = bucket(s3, "mapreduce-memory")
    line = b"".join(b"%09d some words of a line\n" % number for number in range(40_000))
    s3.put_object(Bucket=name, Key="in/x", Body=line * 60)
    run = run_of(s3, name, "in/x")
    deployed = Deployed(launch, name, credentials, split={"size": 1 << 30})
    answered(deployed.start("plan"), {"mapreduce": "plan", "run": run})
    program = r'BEGIN { for (n = 0; n < 1000000; n++) print n "\t" n " some value" }'
    script = f"#!/bin/sh\nbusybox awk '{program}'\n"
    environment = {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256"}
    container = deployed.start("map", "busybox", environment=environment, script=script)
    manifest = answered(container, {"mapreduce": "map", "run": run["run"], "task": 0})
    assert (manifest["records"], manifest["pairs_out"]) == (2_400_000, 1_000_000)
    status = Path(f"/proc/{container.supervisor_pid}/status").read_text()
    assert int(status.split("VmHWM:")[1].split()[0]) < 200 << 10
