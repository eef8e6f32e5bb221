"""What must never happen to services and files: lost buckets, dead services, forgotten inputs."""

from typing import Any

import pytest

from scar_components.oscar_api import OscarError
from scar_components.oscar_service.definition import completed, mistakes
from scar_components.oscar_service.service import RegisteredServiceProvider
from scar_foundation.plugin.provider import Operation
from scar_pulumi.cloud.oscar.refusals import Answer
from tests.components.oscar_service.asking import minio, place, properties, raw
from tests.components.oscar_service.cluster import Cluster
from tests.components.oscar_service.server import Server, running

BUSY = Answer(500, "Error: 503 Service Unavailable: Server not initialized")


def created(provider: RegisteredServiceProvider, props: dict[str, Any]) -> dict[str, Any]:
    return dict(provider.create(props).outs or {})


@pytest.mark.parametrize("moment", [0, 1, 2, 3])
def test_an_unclear_answer_never_makes_a_bucket_of_others_the_services_own(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster, moment: int
) -> None:
    cluster.minio.make("precious")
    answers = iter(range(100))
    asked = cluster.bucket
    cluster.bucket = lambda *given: BUSY if next(answers) == moment else asked(*given)  # type: ignore[method-assign]
    props = {**properties(server, "plants", "photos/in", "precious/out"), "delete_buckets": True}
    with pytest.raises(OscarError, match="answers 500"):
        provider.create(props)
    made = created(provider, props)
    assert made["shared"] == ["precious"]
    provider.delete("plants", made)
    assert set(cluster.minio.buckets) == {"precious"}


def test_an_unclear_answer_stops_a_deletion_with_its_files(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    made = {**created(provider, properties(server, "plants", "photos/in")), "delete_buckets": True}
    cluster.odd_answers = [BUSY]
    with pytest.raises(OscarError, match=r"bucket photos: cannot be read: .* answers 500: Error: 503"):
        provider.delete("plants", made)
    assert "plants" in cluster.services
    provider.delete("plants", made)
    assert (cluster.services, cluster.minio.buckets) == ({}, {})


def test_a_deletion_that_failed_halfway_is_finished_by_the_next_one(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    made = {**created(provider, properties(server, "plants", "photos/in")), "delete_buckets": True}
    remove = cluster.delete

    def halfway(name: str) -> Answer:
        cluster.minio.is_down = True
        return remove(name)

    cluster.delete = halfway  # type: ignore[method-assign]
    with pytest.raises(OscarError, match="bucket photos: cannot be read"):
        provider.delete("plants", made)
    assert (cluster.services, set(cluster.minio.buckets)) == ({}, {"photos"})
    cluster.minio.is_down = False
    provider.delete("plants", made)
    assert cluster.minio.buckets == {}


def test_a_bucket_that_others_made_after_the_service_was_gone_is_not_deleted(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    made = {**created(provider, properties(server, "plants", "photos/in")), "delete_buckets": True}
    cluster.delete("plants")
    cluster.minio.make("photos")
    provider.delete("plants", made)
    assert set(cluster.minio.buckets) == {"photos"}


def test_tags_that_an_update_puts_on_buckets_of_others_are_taken_back(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    for bucket, tags in (("theirs", {"from_service": "theirs", "team": "x"}), ("bare", {})):
        cluster.minio.make(bucket)
        cluster.minio.buckets[bucket].tags = dict(tags)
    ask = cluster.update

    def tagging(body: dict[str, Any]) -> Any:
        answer = ask(body)
        for entry in body["output"]:
            cluster.minio.buckets[entry["path"].partition("/")[0]].tags = {"from_service": body["name"]}
        return answer

    cluster.update = tagging  # type: ignore[method-assign]
    made = created(provider, properties(server, "plants", "photos/in", "theirs/out"))
    assert cluster.minio.buckets["theirs"].tags == {"from_service": "theirs", "team": "x"}
    provider.update("plants", made, properties(server, "plants", "photos/in", "bare/out"))
    assert cluster.minio.buckets["bare"].tags == {}
    assert cluster.minio.buckets["photos"].tags["from_service"] == "plants"


def test_a_bucket_that_others_make_meanwhile_is_not_tagged_as_the_services_own(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    ask = cluster.create

    def later(body: dict[str, Any]) -> Any:
        cluster.minio.make("photos")
        return ask(body)

    cluster.create = later  # type: ignore[method-assign]
    with pytest.raises(OscarError, match='bucket "photos" already exists'):
        provider.create(properties(server, "plants", "photos/in"))
    assert cluster.minio.buckets["photos"].tags == {}


@pytest.mark.parametrize("is_reachable", [True, False])
def test_a_kept_bucket_with_more_files_than_a_page_is_recognised(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster, is_reachable: bool
) -> None:
    server.storage = "" if is_reachable else "no-url"
    props = properties(server, "plants", "photos/in", "photos/done")
    provider.delete("plants", created(provider, props))
    cluster.minio.buckets["photos"].objects |= {f"done/{number:02}.jpg" for number in range(80)}
    created(provider, props)
    assert cluster.started("photos", "in/a.jpg") == {"plants"}


def test_a_kept_bucket_is_recognised_without_its_input_folder(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    props = properties(server, "plants", "photos/in")
    provider.delete("plants", created(provider, props))
    cluster.minio.buckets["photos"].objects.clear()
    created(provider, props)
    assert cluster.started("photos", "in/a.jpg") == {"plants"}

    server.storage = "no-url"  # then nothing tells whether the bucket reports the folder
    provider.delete("plants", {**props, "version": "4.1.2"})
    cluster.minio.buckets["photos"].objects.clear()
    with pytest.raises(OscarError, match="the bucket 'photos' already exists"):
        provider.create(props)


def test_buckets_of_a_creation_that_was_killed_are_the_services_own(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    props = properties(server, "plants", "photos/in")
    created(provider, props)
    cluster.minio.buckets["photos"].tags = {}  # OSCAR tags them at the very end
    made = created(provider, props)
    assert (server.changes(), made["shared"]) == (["POST"], [])
    provider.delete("plants", made)
    provider.delete("plants", {**created(provider, props), "delete_buckets": True})
    assert cluster.minio.buckets == {}


def test_an_input_that_was_removed_starts_nothing_any_more_and_those_of_others_stay(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    props = properties(server, "plants", "first/in")
    props["definition"]["input"].append(minio("second/in"))
    made = created(provider, props)
    cluster.create(raw("other"))
    cluster.minio.buckets["first"].notifications.add(("other", "in/"))
    news = properties(server, "plants", "second/in")
    assert provider.diff("plants", made, news).replaces == ["definition"]
    provider.delete("plants", made)
    made = created(provider, news)
    assert cluster.started("first", "in/a.jpg") == {"other"}
    assert cluster.started("second", "in/a.jpg") == {"plants"}

    cluster.minio.buckets["first"].notifications.add(("plants", "in/"))
    seen = provider.read("plants", made).outs or {}
    assert seen["reported"] == ["first/in", "second/in"]
    difference = provider.diff("plants", seen, news)
    assert (difference.changes, difference.replaces) == (True, [])
    updated = provider.update("plants", seen, news).outs or {}
    assert cluster.started("first", "in/a.jpg") == {"other"}
    assert not provider.diff("plants", updated, news).changes


def test_one_bucket_starts_several_services_and_is_that_of_the_first(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    first = created(provider, properties(server, "first", "shared/left", "shared/out"))
    second = created(provider, properties(server, "second", "shared/right", "shared/out"))
    assert cluster.started("shared", "left/a.jpg") == {"first"}
    assert cluster.started("shared", "right/a.jpg") == {"second"}
    assert (first["shared"], second["shared"]) == ([], ["shared"])
    provider.delete("second", {**second, "delete_buckets": True})
    assert cluster.started("shared", "left/a.jpg") == {"first"}
    second = created(provider, properties(server, "second", "shared/right"))
    provider.delete("first", {**first, "delete_buckets": True})
    assert cluster.minio.buckets == {}
    provider.delete("second", second)
    assert cluster.services == {}


def test_a_creation_that_minio_never_heard_of_is_made_anew(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    props = properties(server, "plants", "photos/in")
    created(provider, props)
    cluster.minio.webhooks.clear()
    cluster.minio.buckets["photos"].notifications.clear()
    server.changes()
    created(provider, props)
    assert server.changes() == ["PUT", "DELETE", "POST", "PUT"]
    assert cluster.started("photos", "in/a.jpg") == {"plants"}


def test_a_service_that_minio_has_forgotten_shows_and_is_made_anew(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    props = properties(server, "plants", "photos/in")
    made = created(provider, props)
    cluster.minio.webhooks.clear()
    seen = provider.read("plants", made).outs or {}
    assert provider.diff("plants", seen, props).changes
    updated = provider.update("plants", seen, props).outs or {}
    assert cluster.started("photos", "in/a.jpg") == {"plants"}
    assert updated["token"] == cluster.services["plants"]["token"]


def test_an_input_that_others_have_changed_is_put_right(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    props = properties(server, "plants", "photos/in")
    made = created(provider, props)
    cluster.update(raw("plants", input=[minio("drift/in")], owner="cluster_admin"))
    read = provider.read("plants", made)
    seen = {**(read.outs or {})}
    assert (read.inputs or {})["definition"]["input"] == [minio("drift/in")]
    difference = provider.diff("plants", seen, props)
    assert (difference.changes, difference.replaces) == (True, [])
    provider.update("plants", seen, props)
    assert cluster.services["plants"]["input"] == [minio("photos/in")]
    assert cluster.started("photos", "in/a.jpg") == {"plants"}
    assert cluster.started("drift", "in/a.jpg") == set()


@pytest.mark.parametrize(
    ("before", "after"),
    [({"api_port": [80]}, {"api_port": [81]}), ({"api_port": [80]}, None), (None, {"api_port": [80]})],
)
def test_a_change_of_a_service_with_an_interface_replaces_it_and_leaves_nothing_behind(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster, before: Any, after: Any
) -> None:
    made = created(provider, properties(server, "plants", expose=before))
    assert made["exposed_url"] == (f"{server.endpoint}/system/services/plants/exposed/" if before else "")
    news = properties(server, "plants", expose=after)
    assert provider.diff("plants", made, news).replaces == ["definition"]
    provider.delete("plants", made)
    assert cluster.exposed == set()
    created(provider, news)
    assert cluster.services["plants"]["script"] == "cat"


def test_a_service_with_an_interface_is_deleted_the_first_time_and_keeps_its_files(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    made = created(provider, properties(server, "plants", "photos/in", expose={"api_port": [80]}))
    cluster.services["plants"]["script"] = ""
    seen = provider.read("plants", made).outs or {}
    provider.delete("plants", seen)
    assert (cluster.services, set(cluster.minio.buckets), cluster.exposed) == ({}, {"photos"}, set())
    with pytest.raises(OscarError, match=r"cannot add photos/in to a service with an HTTP interface"):
        provider.create(properties(server, "plants", "photos/in", expose={"api_port": [80]}))
    assert server.changes()[-1] == "DELETE"


def test_a_change_that_oscar_accepts_and_does_not_apply_is_an_error(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    made = created(provider, properties(server, "plants"))
    cluster.update = lambda body: Answer(204)  # type: ignore[method-assign]
    with pytest.raises(OscarError, match="accepted an update and did not apply memory; refresh"):
        provider.update("plants", made, properties(server, "plants", memory="1Gi"))


def test_a_cluster_is_not_the_spelling_of_its_address(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    props = properties(server, "plants", "photos/in")
    made = created(provider, props)
    for endpoint in (f"{server.endpoint}/", server.endpoint.replace("127.0.0.1", "localhost"), "http://127.0.0.1:9"):
        difference = provider.diff("plants", made, {**props, "endpoint": endpoint})
        assert (difference.changes, difference.replaces) == (True, [])
    gone = {**made, "endpoint": "http://127.0.0.1:9", "password": "old"}
    assert not provider.diff("plants", gone, props).replaces
    assert (provider.update("plants", gone, props).outs or {})["endpoint"] == server.endpoint
    with running(Cluster()) as other:
        assert provider.diff("plants", made, {**props, "endpoint": other.endpoint}).replaces == ["endpoint"]


class EngineLog:
    """What a provider has told the engine."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def Log(self, request: Any, timeout: float) -> None:  # noqa: N802 - the engine's name
        self.told.append(request.message)


def test_a_cluster_that_is_gone_can_be_left_behind(
    provider: RegisteredServiceProvider, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = created(provider, properties(server, "plants", "photos/in"))
    gone = {**made, "endpoint": "http://127.0.0.1:9", "timeout": 0.2}
    with pytest.raises(
        OscarError, match=r"cannot be reached .*; if it is gone for good, `scar-pulumi destroy --leave-unrea"
    ):
        provider.delete("plants", gone)
    monkeypatch.setenv("SCAR_LEAVE_UNREACHABLE", "true")
    monkeypatch.setattr("scar_components.oscar_service.service._LEAVING_SECONDS", 0.2)
    with Operation("urn", log := EngineLog()).running():
        provider.delete("plants", gone)
    said = "service plants: stays on http://127.0.0.1:9, which cannot be reached; its buckets: photos"
    assert log.told == [said]


def test_a_minio_that_cannot_be_read_from_here_is_told(provider: RegisteredServiceProvider, server: Server) -> None:
    server.storage = "no-url"
    with Operation("urn", log := EngineLog()).running():
        created(provider, properties(server, "plants", "photos/in"))
        created(provider, properties(server, "quiet", "", "photos/out"))
    (told,) = log.told
    assert told.startswith("service plants: its cluster's MinIO, at no-url/minio, cannot be reached from here")


def test_a_changed_volume_is_refused_in_the_preview(provider: RegisteredServiceProvider, server: Server) -> None:
    made = created(provider, properties(server, "plants", volume={"size": "1Gi", "mount_path": "/data"}))
    with pytest.raises(OscarError, match="OSCAR cannot change the volume of a service"):
        provider.diff("plants", made, properties(server, "plants", volume={"size": "2Gi", "mount_path": "/data"}))


def test_what_the_server_refuses_is_told_before_anything_changes() -> None:
    definition = completed(
        "plants",
        [place("photos/in"), place("photos/more")],
        [],
        {
            "image": "debian:12",
            "labels": {"a": "b c", "fine": "b_c"},
            "federation": {"members": [{"type": "oscar", "cluster_id": "other", "service_name": "plants"}]},
            "isolation_level": "user",
            "allowed_users": ["a@egi.eu"],
        },
    )
    assert [mistake.split(";")[0] for mistake in mistakes(definition)] == [
        "script: is missing, and OSCAR requires one",
        "labels.a: 'b c' is not a label that Kubernetes accepts",
        "federation: OSCAR 4.1 requires the secret refresh_token",
        "input: two folders of the bucket 'photos' are read, and OSCAR creates it for one",
        "isolation_level: OSCAR fails to update a service of USER with allowed_users and an input",
    ]
