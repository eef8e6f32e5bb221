"""Every section of the language, on AWS and on OSCAR clusters, becomes data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from scar_pulumi.deploy.checks import undeployable
from scar_pulumi.deploy.quotas import Surroundings
from scar_pulumi.fdl import Fdl, Reference, load, split_references

Load = Callable[..., Fdl]
EVERYTHING = Path(__file__).with_name("files") / "everything.yaml"


def test_every_section_of_a_function_becomes_data() -> None:
    (function,) = load(EVERYTHING).functions
    assert function.vpc
    assert function.vpc.subnet_ids == ("subnet-00000000000000000",)
    assert function.file_system
    assert function.file_system.local_mount_path == "/mnt/efs"
    assert function.api_gateway
    assert (function.api_gateway.http_method, function.api_gateway.authorization) == (
        "POST",
        "AWS_IAM",
    )
    assert function.batch
    assert (function.batch.vcpus, function.batch.number_nodes) == (2, 3)
    assert function.batch.compute_resources.instance_types == ("g4dn.xlarge",)
    assert function.timeout_threshold == 10
    assert [place.per_request for place in function.output] == [False, True]
    assert str(function.output[1]) == "Any_Folder/x"


def test_services_are_what_oscar_takes_without_what_only_we_need() -> None:
    one, other = load(EVERYTHING).oscar
    assert (one.cluster, one.name, other.cluster) == ("my_oscar", "service1", "other")
    assert one.script == EVERYTHING.with_name("script.sh").absolute()
    assert one.definition["cpu"] == "1.0"
    assert one.definition["environment"] == {
        "variables": {"SEND": "false", "PLACEHOLDER": "[your_key]"},
        "secrets": {"PASSWORD": "hunter2", "refresh_token": "hunter4"},
    }
    assert one.definition["expose"]["api_port"] == [8080]
    assert one.definition["something_new"] == {"a": [1, 2.5, True, None]}
    assert not {"script", "endpoint", "auth_password", "allow_loop"} & one.definition.keys()
    assert "expose" not in other.definition
    assert str(other.output[0]) == "service1/in"


def test_warnings_name_what_is_passed_on_unread_or_taken_for_something_else() -> None:
    said = {warning.path: warning.message for warning in load(EVERYTHING).warnings}
    assert "passed on to OSCAR" in said["functions.oscar[0].my_oscar.something_new"]
    assert "passed on to API Gateway" in said["functions.aws[0].api_gateway.method.apiKeyRequired"]
    assert "taken as text" in said["functions.oscar[0].my_oscar.vo"]
    assert "nothing on AWS starts" in said["functions.aws[0].lambda.input[0].storage_provider"]


def test_a_file_with_every_key_can_be_deployed() -> None:
    assert undeployable(load(EVERYTHING), Surroundings("p", "local")) == ()


def test_a_file_of_functions_on_buckets_can_be_deployed(load_lambda: Load) -> None:
    assert undeployable(load_lambda("input: [{path: bucket/in}]"), Surroundings("p", "local")) == ()


def test_only_local_stacks_take_images_of_services_from_files(tmp_path: Path) -> None:
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "index.json").touch()
    (tmp_path / "s.sh").write_text("cat\n")
    file = tmp_path / "f.yaml"
    file.write_text(
        "functions: {oscar: [{c: {name: a, script: s.sh, image_file: box}},\n"
        "{c: {name: b, script: s.sh, image: x, image_file: box}}]}\n"
    )
    fdl = load(file)
    assert [service.image_file for service in fdl.oscar] == [tmp_path / "box"] * 2
    assert "image_file" not in fdl.oscar[0].definition
    refused = [problem for problem in undeployable(fdl, Surroundings("p", "prod")) if "image_file" in problem.path]
    assert [(problem.line, problem.path) for problem in refused] == [(1, "functions.oscar[0].c.image_file")]
    assert not [problem for problem in undeployable(fdl, Surroundings("p", "local-2")) if "image_file" in problem.path]


def test_secrets_are_not_part_of_what_data_looks_like() -> None:
    assert "hunter2" not in repr(load(EVERYTHING))
    assert "my-secret-token" not in repr(load(EVERYTHING.with_name("old.yaml")))


def test_references_stay_in_the_data_and_can_be_taken_apart() -> None:
    (function,) = load(EVERYTHING).functions
    assert split_references(function.environment["KEY4"]) == [Reference("config", "token")]
    assert split_references("a${env:B}c$${env:D}") == ["a", Reference("env", "B"), "c${env:D}"]
    assert split_references("") == []


def test_one_setting_changes_a_service_another_all_of_them() -> None:
    one: dict[str, Any] = {"functions.service1.cpu": "2", "functions.everything.lambda.memory": "512"}
    fdl = load(EVERYTHING, {"oscar.memory": "4Gi", **one})
    assert [service.definition["memory"] for service in fdl.oscar] == ["4Gi", "4Gi"]
    assert [service.definition["cpu"] for service in fdl.oscar] == ["2", "2"]
    assert fdl.functions[0].memory == 512
