"""Services through the real engine, on a server that behaves as OSCAR 4.1.2 does."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pulumi.automation import ConfigValue

from scar_pulumi.engine.tether import kill_tree
from tests.components.oscar_service.cluster import Cluster
from tests.components.oscar_service.server import PASSWORD, Server
from tests.components.oscar_service.stack import Project
from tests.world.waiting import wait_for

Failure = Callable[[Callable[[], object]], str]
MARK = {"scar-pulumi/stack": "organization/services/dev"}

# Pulumi's language server leaves event loops open when a program fails.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def test_a_service_is_created_changed_and_removed_and_its_files_stay(
    project: Project, cluster: Cluster, server: Server, failure: Failure
) -> None:
    project.service(
        "plants",
        "photos/in",
        "photos/out",
        cpu=0.5,
        environment={"variables": {"LEVEL": "1"}, "secrets": {"KEY": "hunter2"}},
        storage_providers={"s3": {"mine": {"access_key": "AK", "secret_key": "swordfish", "region": "eu-west-1"}}},
    )
    shown = project.shown()
    assert "debian:12" in shown
    for secret in (PASSWORD, "hunter2", "swordfish"):
        assert secret not in shown
    assert project.up() == {"create": 1}
    service = cluster.services["plants"]
    assert (service["cpu"], service["annotations"]) == ("0.5", MARK)
    assert cluster.secrets == {"plants": {"KEY": "hunter2"}}
    assert cluster.started("photos", "in/a.jpg") == {"plants"}
    for secret in (PASSWORD, "hunter2", "swordfish", service["token"]):
        assert secret not in project.state()

    stored = project.entries()[0]["inputs"]["definition"]
    assert stored["cpu"] == "0.5"  # what is no secret shows in previews and differences

    server.changes()
    assert project.up() == {}
    project.stack.refresh()
    assert project.preview() == {"same": 3}
    assert server.changes() == []
    for secret in (PASSWORD, "hunter2", "swordfish", service["token"]):
        assert secret not in project.state()

    cluster.minio.buckets["photos"].objects.add("in/a.jpg")
    project.service("plants", "photos/in", "photos/out", memory="1Gi", environment={"variables": {"LEVEL": "2"}})
    assert project.up() == {"update": 1}
    assert cluster.services["plants"]["owner"] == "cluster_admin"
    assert cluster.services["plants"]["memory"] == "1Gi"
    assert cluster.secrets["plants"] == {"KEY": ""}
    # The first overwrites the secret that is not wanted any more.
    assert server.changes() == ["PUT"] * 2
    assert cluster.started("photos", "in/b.jpg") == {"plants"}

    project.service("plants", "photos/elsewhere", "photos/out")
    assert project.up() == {"create-replacement": 1, "delete-replaced": 1, "replace": 1}
    assert cluster.started("photos", "in/b.jpg") == set()
    assert cluster.started("photos", "elsewhere/b.jpg") == {"plants"}
    project.service("plants", "paintings/in", "photos/out")
    assert project.up() == {"create-replacement": 1, "delete-replaced": 1, "replace": 1}
    assert cluster.started("paintings", "in/b.jpg") == {"plants"}
    assert "in/a.jpg" in cluster.minio.buckets["photos"].objects

    project.stack.destroy()
    assert cluster.services == {}
    assert "in/a.jpg" in cluster.minio.buckets["photos"].objects


def test_ten_services_are_made_one_after_another_and_put_right_after_others_changed_them(
    project: Project, cluster: Cluster, server: Server
) -> None:
    for number in range(10):
        project.service(f"s{number}", f"bucket-{number}/in", memory="512Mi")
    project.service("s9", "bucket-9/in", "bucket-8/in")  # where another service reads, which comes first
    project.after["s9"] = "s8"
    cluster.minio.away_at = {4, 5}  # somebody restarts it in the middle
    assert project.up() == {"create": 10}
    assert sorted(cluster.services) == sorted(project.services)
    (last,) = (entry for entry in project.entries() if entry["urn"].endswith("::s9-service"))
    assert any(urn.endswith("::s8-service") for urn in last["dependencies"])
    assert cluster.started("bucket-8", "in/a.jpg") == {"s8"}
    assert set(cluster.minio.webhooks) == set(project.services)
    # None met a restart that another service had caused.
    assert (cluster.minio.refusals, server.changes().count("POST")) == (2, 12)

    cluster.services["s1"]["memory"] = "4Gi"
    cluster.services["s1"]["labels"]["theirs"] = "stays"
    del cluster.services["s2"]
    del cluster.minio.buckets["bucket-2"]
    project.stack.refresh()
    project.services["s3"]["delete_buckets"] = True
    assert project.up() == {"update": 2, "create": 1}
    assert cluster.services["s1"]["memory"] == "512Mi"
    assert "s2" in cluster.services

    project.stack.destroy()
    assert cluster.services == {}
    assert "bucket-3" not in cluster.minio.buckets
    assert len(cluster.minio.buckets) == 9


def test_a_service_of_others_is_left_alone_unless_it_is_adopted(
    project: Project, cluster: Cluster, failure: Failure
) -> None:
    theirs = {"name": "plants", "image": "alpine", "script": "echo", "annotations": {"by": "hand"}}
    place = {"storage_provider": "minio.default", "path": "photos/in"}
    assert cluster.create({**theirs, "input": [place]}) == (201, None)
    project.service("plants", "photos/in", annotations={"by": "pulumi"})
    said = failure(project.stack.up)
    assert "plants: already exists on http://127.0.0.1:" in said
    assert "or set adopt to take it over" in said
    assert cluster.services["plants"]["image"] == "alpine"

    project.services["plants"]["adopt"] = True
    project.services["plants"]["delete_buckets"] = True
    assert project.up() == {"create": 1}
    assert cluster.services["plants"]["annotations"] == {"by": "pulumi", **MARK}
    project.stack.destroy()
    assert cluster.services == {}
    assert "in/" in cluster.minio.buckets["photos"].objects  # others have made it


def test_what_a_killed_engine_had_begun_is_taken_over(
    project: Project, cluster: Cluster, server: Server, tmp_path: Path
) -> None:
    cluster.minio.restart_seconds = 1.5
    command = [sys.executable, "-m", "tests.components.oscar_service.operate", str(tmp_path), server.endpoint]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: "plants" in cluster.services, 60, "the creation has begun")
    kill_tree(process.pid)
    process.wait()
    project.stack.cancel()

    project.service("plants", "photos/in")
    assert project.up() == {"create": 1}
    assert cluster.started("photos", "in/a.jpg") == {"plants"}
    assert server.changes() == ["POST"]
    assert project.preview() == {"same": 3}


def test_a_password_that_was_changed_since_is_taken_from_the_configuration(
    project: Project, cluster: Cluster, failure: Failure, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.service("plants", "photos/in")
    project.services["plants"]["cluster"] = "mine"
    assert project.up() == {"create": 1}
    monkeypatch.setattr("tests.components.oscar_service.server.PASSWORD", "new horse")
    assert "refuses user 'oscar'" in failure(project.stack.refresh)
    now = json.dumps({"mine": {"auth_password": "new horse"}})
    project.stack.set_config("scar:clusters", ConfigValue(now, secret=True))
    project.stack.refresh()
    assert "new horse" not in project.state()
    project.stack.destroy()
    assert cluster.services == {}
    assert "new horse" not in project.state()
