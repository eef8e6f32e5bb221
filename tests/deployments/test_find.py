"""Which function is meant, and where deployed stacks are found."""

from pathlib import Path

import pytest

from scar_foundation.errors import InputError, ScarError
from scar_pulumi.deployments import Deployments
from tests.world.deployed import FUNCTION, write_fdl, write_state


def deploy(directories: Path, project: str, *functions: str, stack: str = "local") -> None:
    found = {name: {**FUNCTION, "arn": f"arn:{project}:{name}"} for name in functions}
    write_state(directories / "state", project, {"functions": found, "buckets": []}, stack)


def arn(name: str, stack: str = "local", project: str | None = None, fdl: Path | None = None) -> str:
    return Deployments.find(stack, project=project, fdl=fdl).function(name).arn


def test_a_function_is_found_in_whichever_project_has_it(directories: Path) -> None:
    deploy(directories, "video", "upper")
    deploy(directories, "audio", "lower")
    assert arn("upper") == "arn:video:upper"
    assert arn("lower") == "arn:audio:lower"


def test_a_stack_of_another_name_is_another_stack(directories: Path) -> None:
    deploy(directories, "video", "upper", stack="local-2")
    with pytest.raises(ScarError, match="stack local: nothing is deployed; `scar-pulumi up FILE` deploys it"):
        arn("upper")
    assert arn("upper", "local-2") == "arn:video:upper"


def test_of_two_functions_of_one_name_the_user_chooses(directories: Path) -> None:
    deploy(directories, "video", "upper")
    deploy(directories, "audio", "upper")
    several = r"several projects have such a function \(audio, video\); choose with --project NAME"
    with pytest.raises(InputError, match=several):
        arn("upper")
    assert arn("upper", project="audio") == "arn:audio:upper"
    assert arn("upper", fdl=write_fdl(directories / "video.yaml", "upper")) == "arn:video:upper"


def test_the_project_of_the_current_directory_comes_first(directories: Path) -> None:
    deploy(directories, "video", "upper")
    deploy(directories, "audio", "upper", "lower")
    (directories / "Pulumi.yaml").write_text("name: video\nruntime: python\n")
    assert arn("upper") == "arn:video:upper"
    assert arn("lower") == "arn:audio:lower"
    (directories / "Pulumi.yaml").write_text("name: [broken")
    with pytest.raises(InputError, match="several projects"):
        arn("upper")


def test_an_unknown_function_is_reported_with_those_of_all_projects(directories: Path) -> None:
    deploy(directories, "video", "upper")
    deploy(directories, "audio", "lower")
    with pytest.raises(InputError, match=r"uper: .*did you mean upper\? \(there are: lower, upper\)"):
        arn("uper")
    with pytest.raises(ScarError, match="stack local of project none: not deployed"):
        arn("upper", project="none")


def test_services_are_found_by_name_or_with_their_cluster(directories: Path) -> None:
    services = {"talk": {"synchronous": True}}
    clusters = {name: {"endpoint": f"https://{name}", "services": services} for name in ("one", "two")}
    write_state(directories / "state", "video", {"functions": {}, "oscar": clusters})
    deployments = Deployments.find()
    with pytest.raises(InputError, match="several clusters have such a service; write one/talk, two/talk"):
        deployments.called("talk")
    with pytest.raises(InputError, match="is a service on the OSCAR cluster two, not a function"):
        deployments.function("two/talk")


def test_nothing_is_read_before_it_is_needed(directories: Path) -> None:
    deployments = Deployments.find(project="later")
    deploy(directories, "later", "upper")
    assert [stack.project for stack in deployments.stacks] == ["later"]


def test_addresses_on_this_machine_have_the_local_cloud_s_present_port(directories: Path) -> None:
    address = "http://127.0.0.1:{}/_aws/execute-api/a1/scar/upper"
    found = {
        "upper": {**FUNCTION, "arn": "arn:upper", "url": address.format(4566), "asyncUrl": address.format(4566) + "/a"},
        "own": {**FUNCTION, "arn": "arn:own", "url": "https://example.org/own"},
    }
    write_state(directories / "state", "video", {"functions": found, "buckets": []})
    assert Deployments.find().function("upper").url == "", "no local cloud was ever started: it is somebody else's"
    (directories / "state" / "local").mkdir(exist_ok=True)
    (directories / "state" / "local" / "port").write_text("23456")
    upper = Deployments.find().function("upper")
    assert (upper.url, upper.async_url) == (address.format(23456), address.format(23456) + "/a")
    assert Deployments.find().function("own").url == "https://example.org/own"
