"""What OSCAR does otherwise than one expects: the test server does it, and services live with it."""

import pytest
from pulumi.runtime.rpc import UNKNOWN

from scar_components.oscar_api import OscarError
from scar_components.oscar_service.service import RegisteredServiceProvider
from tests.components.oscar_service.asking import minio, properties, raw
from tests.components.oscar_service.cluster import Cluster
from tests.components.oscar_service.server import Server


def test_quirk_1_who_meets_a_restarting_minio_is_rolled_back_and_tries_again(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    cluster.minio.away_at = {1, 2, 3}
    status, said = cluster.create(raw("direct"))
    assert (status, "connection refused" in said, cluster.services) == (500, True, {})
    made = provider.create(properties(server, "plants", "photos/in"))
    assert (made.id, (made.outs or {})["token"]) == ("plants", cluster.services["plants"]["token"])
    assert server.changes() == ["POST", "POST", "POST"]


def test_a_lost_answer_is_no_second_service(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    server.lose_answers = 1
    provider.create(properties(server, "plants", "photos/in"))
    assert server.changes() == ["POST"]
    assert cluster.services["plants"]["owner"] == "cluster_admin"
    assert cluster.started("photos", "in/a.jpg") == {"plants"}


def test_quirk_2_a_bucket_that_exists_can_be_written_to_and_not_be_watched(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    cluster.minio.make("photos")
    status, said = cluster.create(raw("direct", input=[minio("new/in")], output=[minio("photos/out")]))
    assert (status, said) == (500, 'the bucket "photos" already exists\n')
    assert "new" in cluster.minio.buckets  # nobody takes it away again
    server.storage = "no-url"
    with pytest.raises(OscarError, match=r"the bucket 'photos' already exists, and OSCAR 4\.1\.2 reports"):
        provider.create(properties(server, "plants", "photos/in"))
    assert server.changes() == []
    server.storage = ""
    made = provider.create(properties(server, "plants", "photos/in"))
    assert (made.outs["shared"], cluster.started("photos", "in/a.jpg")) == (["photos"], {"plants"})

    provider.create(properties(server, "reader", "shared/in"))
    provider.create(properties(server, "writer", "fresh/in", "shared/in"))
    assert cluster.services["writer"]["output"] == [minio("shared/in")]
    assert cluster.started("shared", "in/a.jpg") == {"reader"}
    assert cluster.started("fresh", "in/a.jpg") == {"writer"}


def test_results_go_to_buckets_of_s3_that_exist_or_not(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    cluster.s3_buckets.add("old")
    keys = {"s3": {"mine": {"access_key": "AK", "secret_key": "SK", "region": "us-east-1"}}}
    there = [{"storage_provider": "s3.mine", "path": f"{bucket}/out"} for bucket in ("old", "new")]
    assert cluster.create(raw("direct", output=there[:1], storage_providers=keys))[0] == 500
    assert cluster.create(raw("direct", output=[minio("x-y/z")], storage_providers=keys))[0] == 201
    props = properties(server, "plants", "photos/in", storage_providers=keys)
    props["definition"]["output"] = there
    provider.create(props)
    assert cluster.services["plants"]["output"] == there
    assert cluster.s3_buckets == {"old", "new"}
    assert server.changes() == ["POST", "PUT"]


def test_an_adopted_service_keeps_its_owner(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    cluster.create(raw("plants", input=[minio("photos/in")]))
    cluster.services["plants"]["owner"] = "somebody@egi.eu"
    cluster.minio.make("results")
    provider.create({**properties(server, "plants", "photos/in", "results/out"), "adopt": True})
    assert cluster.services["plants"]["owner"] == "somebody@egi.eu"
    assert cluster.services["plants"]["output"] == [minio("results/out")]  # though OSCAR has answered 500


def test_quirk_3_deleting_takes_the_files_along_unless_the_service_is_parted_from_them(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    cluster.create(raw("direct", input=[minio("lost/in")]))
    assert cluster.delete("direct") == (204, None)
    assert cluster.minio.buckets == {}

    made = provider.create(properties(server, "plants", "photos/in", "results/out"))
    provider.delete("plants", made.outs or {})
    assert cluster.services == {}
    assert set(cluster.minio.buckets) == {"photos", "results"}
    again = provider.create(properties(server, "plants", "photos/in", "results/out"))
    assert cluster.started("photos", "in/a.jpg") == {"plants"}

    # The buckets are the service's own again, as OSCAR's tags say that they were made for it.
    provider.delete("plants", {**(again.outs or {}), "delete_buckets": True})
    assert cluster.minio.buckets == {}
    provider.delete("plants", again.outs or {})  # it is gone already


def test_quirk_3_buckets_of_others_stay_whatever_is_asked(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    reader = provider.create(properties(server, "reader", "shared/in"))
    made = provider.create(properties(server, "writer", "fresh/in"))
    olds, news = made.outs or {}, properties(server, "writer", "fresh/in", "shared/in")
    updated = provider.update("writer", olds, {**news, "delete_buckets": True}).outs or {}
    assert (olds["shared"], updated["shared"]) == ([], ["shared"])
    provider.delete("writer", updated)
    assert set(cluster.minio.buckets) == {"shared"}
    assert cluster.started("shared", "in/a.jpg") == {"reader"}
    provider.delete("reader", {**(reader.outs or {}), "delete_buckets": True})
    assert cluster.minio.buckets == {}


def test_quirk_3_buckets_of_single_users_cannot_be_kept(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    made = provider.create(properties(server, "plants", "photos/in", isolation_level="user"))
    cluster.services["plants"]["bucket_list"] = ["photos-0123456789"]
    with pytest.raises(OscarError, match="its users have buckets of their own"):
        provider.delete("plants", made.outs or {})
    assert "plants" in cluster.services


def test_quirk_3_a_bucket_in_minio_does_not_go_with_a_namesake_in_s3(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    cluster.minio.make("results")
    props = properties(server, "plants", "photos/in", storage_providers={"s3": {"mine": {"access_key": "AK"}}})
    props["definition"]["output"] = [{"storage_provider": "s3.mine", "path": "results/out"}]
    made = provider.create(props)
    provider.delete("plants", {**(made.outs or {}), "delete_buckets": True})
    assert set(cluster.minio.buckets) == {"results"}


def test_quirk_4_an_update_without_owner_makes_the_deletion_fail_halfway(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    made = provider.create(properties(server, "plants", "photos/in"))
    news = properties(server, "plants", "photos/in", memory="1Gi")
    updated = provider.update("plants", made.outs or {}, news)
    assert cluster.services["plants"]["owner"] == "cluster_admin"
    assert (updated.outs or {})["token"] == (made.outs or {})["token"] == cluster.services["plants"]["token"]

    cluster.update(raw("plants", input=[minio("photos/in")]))
    assert cluster.services["plants"]["owner"] == ""
    provider.delete("plants", {**(updated.outs or {}), "delete_buckets": True})
    assert (cluster.services, cluster.minio.buckets) == ({}, {})

    cluster.create(raw("direct", input=[minio("photos/in")]))
    cluster.update(raw("direct", input=[minio("photos/in")]))
    status, said = cluster.delete("direct")
    assert (status, "error removing resource" in said) == (500, True)
    assert (cluster.services, set(cluster.minio.buckets)) == ({}, {"photos"})


def test_quirk_5_another_input_is_another_service(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    cluster.create(raw("direct", input=[minio("photos/in")]))
    cluster.update(raw("direct", input=[minio("photos/elsewhere")]))
    assert cluster.started("photos", "elsewhere/a.jpg") == set()

    made = provider.create(properties(server, "plants", "fresh/in"))
    olds, news = made.outs or {}, properties(server, "plants", "new/in")
    difference = provider.diff("plants", olds, news)
    assert (difference.replaces, difference.delete_before_replace) == (["definition"], True)
    not_known_yet = {**properties(server, "plants", "fresh/in"), "endpoint": UNKNOWN}
    assert (provider.diff("plants", olds, not_known_yet).replaces, provider.diff("plants", olds, olds).changes) == (
        [],
        False,
    )
    same_bucket = properties(server, "plants", "fresh/elsewhere")
    assert provider.diff("plants", olds, same_bucket).replaces == ["definition"]
    unread = {**olds, "reported": None}
    with pytest.raises(OscarError, match="choose another bucket, or set delete_buckets first, which"):
        provider.diff("plants", unread, same_bucket)
    assert provider.diff("plants", {**unread, "delete_buckets": True}, same_bucket).replaces == ["definition"]
    assert provider.diff("plants", olds, properties(server, "plants", "fresh/in", "results/out")).replaces == []
    provider.update("plants", olds, properties(server, "plants", "fresh/in", "results/out"))
    assert "out/" in cluster.minio.buckets["results"].objects


def test_quirk_6_what_is_hidden_or_filled_in_is_no_drift(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    asked = properties(
        server, "plants", "photos/in/", cpu=1, log_level="debug", visibility="PRIVATE", expose={"api_port": [80]},
        environment={"Variables": {"A": "1"}, "secrets": {"KEY": "hunter2"}}, labels={"mine": "1"},
    )  # fmt: skip
    made = provider.create(asked)
    _, told = cluster.find("plants")
    assert told["environment"]["secrets"] == {"KEY": ""}
    assert told["storage_providers"]["minio"]["default"]["access_key"] == "hidden"
    seen = provider.read("plants", made.outs or {})
    assert (seen.id, seen.inputs) == ("plants", None)

    cluster.services["plants"] |= {"memory": "9Gi", "input": [minio("photos/in"), minio("more/in")]}
    cluster.services["plants"]["environment"]["variables"] = {"A": "2"}
    drifted = (provider.read("plants", made.outs or {}).inputs or {})["definition"]
    assert drifted["input"] == [minio("photos/in"), minio("more/in")]
    assert drifted["environment"] == {"variables": {"A": "2"}, "secrets": {"KEY": "hunter2"}}
    assert "memory" not in drifted  # it was not asked for
    with pytest.raises(OscarError, match="interface on the existing bucket 'photos', and empties its script"):
        provider.diff("plants", {**(made.outs or {}), "definition": drifted}, asked)


def test_an_update_keeps_the_token_and_is_one_request(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster
) -> None:
    made = provider.create(properties(server, "plants", "photos/in", "photos/out"))
    server.changes()
    updated = provider.update("plants", made.outs or {}, properties(server, "plants", "photos/in", memory="1Gi"))
    assert server.changes() == ["PUT"]
    assert (updated.outs or {})["token"] == (made.outs or {})["token"]
    assert cluster.started("photos", "in/a.jpg") == {"plants"}
