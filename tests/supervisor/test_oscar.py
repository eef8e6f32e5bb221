"""OSCAR's own configuration is read as its writers lay it out."""

import base64
import json
from typing import Any

import pytest
import yaml

from supervisor import oscar
from supervisor.errors import ConfigurationInvalid
from tests.supervisor.conftest import Launch
from tests.supervisor.container import run_once
from tests.supervisor.objects import bucket, keys

CONFIGURATION: dict[str, Any] = {
    "name": "plants",
    "log_level": "DEBUG",
    "memory": "1Gi",
    "script": "#!/bin/sh\nname: value\n  - indented\n",
    "environment": {"Variables": {"A": "b: c", "EMPTY": ""}},
    "input": [{"storage_provider": "minio.default", "path": "plants/in", "prefix": [], "suffix": ["jpg", "p'ng"]}],
    "output": [
        {"storage_provider": "s3.mine", "path": "plants/out", "suffix": [], "prefix": ["a b"]},
        {"storage_provider": "minio.default", "path": "all"},
    ],
    "storage_providers": {
        "minio": {"default": {"endpoint": "http://minio:9000", "verify": True, "access_key": "a#b", "secret_key": "1"}},
        "s3": {"mine": {"access_key": "k", "secret_key": "a: b", "region": "us-east-1"}},
    },
    "allowed_users": [],
    "annotations": {},
    "token": None,
}


@pytest.mark.parametrize("indent", [2, 4])
@pytest.mark.parametrize("dump", [yaml.safe_dump, json.dumps], ids=["yaml", "json"])
def test_what_was_written_is_read(dump: Any, indent: int) -> None:
    read = oscar.read(dump(CONFIGURATION, indent=indent))
    for key in ("name", "log_level", "input", "output", "storage_providers", "allowed_users", "annotations"):
        assert read[key] == CONFIGURATION[key], key


def test_our_own_configuration_comes_first() -> None:
    encoded = base64.b64encode(yaml.safe_dump(CONFIGURATION).encode()).decode()
    assert oscar.with_configuration({"SCAR_FUNCTION": "{}", "FUNCTION_CONFIG": encoded})["SCAR_FUNCTION"] == "{}"
    ours = json.loads(oscar.with_configuration({"FUNCTION_CONFIG": encoded})["SCAR_FUNCTION"])
    assert set(ours) == {"name", "log_level", "inputs", "outputs", "storage_providers"}


def test_an_invalid_configuration_is_an_error() -> None:
    with pytest.raises(ConfigurationInvalid, match="not base64"):
        oscar.with_configuration({"FUNCTION_CONFIG": "%"})


def test_a_service_stores_where_its_configuration_says(launch: Launch, s3: Any, s3_endpoint: str) -> None:
    name = bucket(s3, "oscar-outputs")
    settings = {"endpoint": s3_endpoint, "access_key": "a", "secret_key": "b", "verify": False}
    document = {
        "output": [{"storage_provider": "minio.default", "path": f"{name}/out"}],
        "storage_providers": {"minio": {"default": settings}},
    }
    environment = {
        "AWS_LAMBDA_RUNTIME_API": "",
        "SCAR_FUNCTION": "",
        "FUNCTION_CONFIG": base64.b64encode(yaml.safe_dump(document).encode()).decode(),
    }
    container = launch(script="env >$TMP_OUTPUT_DIR/env", environment=environment)
    done = run_once(container, b"{}")
    assert done.returncode == 0, done.stderr
    assert keys(s3, name) == ["out/env"]
    assert b"FUNCTION_CONFIG" not in base64.b64decode(done.stdout)
