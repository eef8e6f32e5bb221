"""The stand-in for the kubernetes plugin on a real API server, asked as the engine asks it."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2

from scar_foundation.plugin.values import UNKNOWN, as_secret, reveal
from tests.kubernetes.api_server import Client
from tests.kubernetes.controllers import Controllers
from tests.world.plugin_resource import Resource
from tests.world.plugins import Plugin
from tests.world.waiting import wait_for

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
JOB = "kubernetes:batch/v1:Job"
SECRET = "kubernetes:core/v1:Secret"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def told(call: Any) -> str:
    with pytest.raises(grpc.RpcError) as error:
        call()
    return str(error.value.details())


def deployment(**changes: Any) -> dict[str, Any]:
    container = {"name": "web", "image": "debian:12", "resources": {"requests": {"cpu": "1000m"}}}
    spec = {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{**container, **changes}]}},
    }
    return {"metadata": {"name": "web"}, "spec": spec}


@pytest.fixture(scope="module")
def plugin(cluster: Client, controllers: Controllers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    kubeconfig = tmp_path_factory.mktemp("plugin") / "kubeconfig"
    kubeconfig.write_text(cluster.kubeconfig())
    with Plugin("scar_pulumi.stand_ins.kubernetes", {"KUBECONFIG": str(kubeconfig)}) as running:
        yield running


def test_a_made_up_name_is_kept_through_updates_and_the_object_goes_in_the_end(plugin: Plugin, cluster: Client) -> None:
    settings = Resource(plugin, CONFIG_MAP, "settings")
    settings.create(data={"a": "1"})
    assert settings.id.startswith("default/settings-")
    name = settings.id.partition("/")[2]
    assert cluster.get(f"{CONFIG_MAPS}/{name}")["data"] == {"a": "1"}
    settings.update(data={"b": "2"})
    assert cluster.get(f"{CONFIG_MAPS}/{name}")["data"] == {"b": "2"}
    settings.delete()
    assert not cluster.exists(f"{CONFIG_MAPS}/{name}")
    settings.delete()
    assert settings.read() is None


def test_spelling_is_no_change_and_drift_is_found_and_put_right(plugin: Plugin, cluster: Client) -> None:
    web = Resource(plugin, DEPLOYMENT, "web")
    web.create(**deployment())
    assert web.outputs["status"]["availableReplicas"] == 2
    same = web.diff(**deployment(resources={"requests": {"cpu": "1"}}))
    assert same.changes == provider_pb2.DiffResponse.DIFF_NONE
    assert web.read() == web.inputs

    changed = web.diff(**deployment(image="debian:13"))
    assert list(changed.detailedDiff) == ["spec.template.spec.containers[0].image"]
    assert not changed.replaces

    cluster.merge(f"{DEPLOYMENTS}/web", {"spec": {"replicas": 5}})
    drifted = web.read()
    assert drifted is not None
    assert drifted["spec"]["replicas"] == 5
    assert drifted["spec"]["template"] == web.inputs["spec"]["template"]
    refused = told(lambda: web.update(**deployment(image="debian:13")))
    assert 'conflict with "somebody-else"' in refused
    assert ".spec.replicas" in refused
    assert 'pulumi.com/patchForce: "true"' in refused

    forced = deployment(image="debian:13")
    forced["metadata"]["annotations"] = {"pulumi.com/patchForce": "true"}
    web.update(**forced)
    assert cluster.get(f"{DEPLOYMENTS}/web")["spec"]["replicas"] == 2
    web.delete()


def test_what_cannot_change_is_replaced_with_the_old_one_gone_first(plugin: Plugin) -> None:
    web = Resource(plugin, DEPLOYMENT, "replaced")
    web.create(**deployment())
    other = deployment()
    other["spec"]["selector"]["matchLabels"]["app"] = "other"
    found = web.diff(**other)
    assert list(found.replaces) == ["spec.selector.matchLabels.app"]
    assert found.deleteBeforeReplace
    web.delete()


def test_an_object_of_somebody_else_is_left_alone_and_one_of_ours_taken_over(plugin: Plugin, cluster: Client) -> None:
    cluster.request("POST", CONFIG_MAPS, {"metadata": {"name": "taken"}, "data": {"theirs": "1"}})
    taken = Resource(plugin, CONFIG_MAP, "taken")
    for preview in (True, False):
        message = told(lambda: taken.create(preview=preview, metadata={"name": "taken"}, data={"ours": "1"}))  # noqa: B023
        assert message.startswith("ConfigMap default/taken: it exists already; import it")
    assert cluster.get(f"{CONFIG_MAPS}/taken")["data"] == {"theirs": "1"}

    # An `up` that was killed after its call and before its record leaves an object that bears the resource's mark.
    left = Resource(plugin, CONFIG_MAP, "left")
    left.create(metadata={"name": "left"}, data={"a": "1"})
    again = Resource(plugin, CONFIG_MAP, "left")
    again.create(metadata={"name": "left"}, data={"b": "2"})
    assert cluster.get(f"{CONFIG_MAPS}/left")["data"] == {"b": "2"}
    again.delete()


def test_the_preview_tells_what_the_server_would_refuse_and_changes_nothing(plugin: Plugin, cluster: Client) -> None:
    web = Resource(plugin, DEPLOYMENT, "wrong")
    wrong = deployment(imagee="debian:12")
    message = told(lambda: web.create(preview=True, **wrong))
    assert '.spec.template.spec.containers[name="web"].imagee: field not declared in schema' in message
    right = web.create(preview=True, **deployment())
    assert right["status"] == UNKNOWN
    assert not cluster.exists(f"{DEPLOYMENTS}/web")


def test_secrets_stay_secret_in_outputs_and_in_failures(plugin: Plugin, cluster: Client) -> None:
    login = Resource(plugin, SECRET, "login")
    password = "hunter2-and-more"
    login.create(metadata={"name": "login"}, stringData=as_secret({"password": password}))
    encoded = base64.b64encode(password.encode()).decode()
    assert login.outputs["data"] == as_secret({"password": encoded})
    written = {"stringData", "__inputs"}
    assert password not in str({name: value for name, value in login.outputs.items() if name not in written})

    cluster.merge("/api/v1/namespaces/default/secrets/login", {"stringData": {"password": "another"}})
    live = login.read()
    assert live is not None
    assert live["stringData"] == as_secret({"password": "another"})
    assert reveal(live)["metadata"] == login.inputs["metadata"]

    refused = Resource(plugin, CONFIG_MAP, "refused")
    message = told(lambda: refused.create(metadata={"name": as_secret("Not-A-Name-" + password)}))
    assert password not in message
    assert "[secret]" in message
    login.delete()


def test_a_job_that_fails_is_recorded_with_its_reason(plugin: Plugin, controllers: Controllers) -> None:
    controllers.failing_jobs.add("fails")
    job = Resource(plugin, JOB, "fails")
    container = {"name": "job", "image": "debian:12"}
    spec = {"template": {"spec": {"containers": [container], "restartPolicy": "Never"}}}
    message = told(lambda: job.create(metadata={"name": "fails"}, spec=spec))
    assert message == "Job default/fails: the job failed: BackoffLimitExceeded: as the test wants it"
    job.id, job.outputs = "default/fails", {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "fails"}}
    job.delete()


def test_waiting_ends_and_says_for_what_unless_it_is_not_wanted(plugin: Plugin) -> None:
    ingress = Resource(plugin, "kubernetes:networking.k8s.io/v1:Ingress", "waits")
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    given: dict[str, Any] = {"metadata": {"name": "waits"}, "spec": {"defaultBackend": backend}}
    assert told(lambda: ingress.create(timeout=1, **given)) == "Ingress default/waits: after 1 s it has no address yet"
    given["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
    ingress.create(**given)
    ingress.delete()


def test_pods_that_do_not_start_say_why(plugin: Plugin, cluster: Client) -> None:
    cluster.request("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    labels = {"app": "stuck"}
    given = deployment()["spec"] | {"selector": {"matchLabels": labels}, "serviceName": "stuck"}
    given["template"]["metadata"]["labels"] = labels
    pods = "/api/v1/namespaces/default/pods"
    pod = {"metadata": {"name": "stuck-0", "labels": labels}, "spec": given["template"]["spec"]}
    cluster.request("POST", pods, pod)
    message = 'Back-off pulling image "debian:12"'
    waiting = {"name": "web", "ready": False, "restartCount": 0, "image": "debian:12", "imageID": ""}
    waiting["state"] = {"waiting": {"reason": "ImagePullBackOff", "message": message}}
    cluster.merge(f"{pods}/stuck-0/status", {"status": {"containerStatuses": [waiting]}})

    stuck = Resource(plugin, "kubernetes:apps/v1:StatefulSet", "stuck")
    assert told(lambda: stuck.create(timeout=1, metadata={"name": "stuck"}, spec=given)) == (
        "StatefulSet default/stuck: after 1 s 0 of its 2 pods are ready; "
        f"pod stuck-0: container web: ImagePullBackOff: {message}"
    )
    cluster.request("DELETE", "/apis/apps/v1/namespaces/default/statefulsets/stuck")
    cluster.request("DELETE", f"{pods}/stuck-0?gracePeriodSeconds=0")


def test_cancelling_ends_what_waits_at_once_and_records_what_was_made(cluster: Client, tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(cluster.kubeconfig())
    with (
        Plugin("scar_pulumi.stand_ins.kubernetes", {"KUBECONFIG": str(tmp_path / "kubeconfig")}) as plugin,
        ThreadPoolExecutor() as pool,
    ):
        ingress = Resource(plugin, "kubernetes:networking.k8s.io/v1:Ingress", "cancelled")
        backend = {"service": {"name": "web", "port": {"number": 80}}}
        created = pool.submit(
            told, lambda: ingress.create(300, metadata={"name": "cancelled"}, spec={"defaultBackend": backend})
        )
        path = "/apis/networking.k8s.io/v1/namespaces/default/ingresses/cancelled"
        wait_for(lambda: cluster.exists(path), 20, "the ingress is there")
        plugin.stub.Cancel(Empty())
        assert created.result(timeout=5) == "Ingress default/cancelled: cancelled while it waited"
    cluster.request("DELETE", path)


def test_the_state_has_what_the_genuine_plugin_compares_with(plugin: Plugin) -> None:
    login = Resource(plugin, SECRET, "compared")
    login.create(metadata={"name": "compared"}, stringData=as_secret({"password": "hunter2-and-more"}))
    outputs = login.outputs
    assert outputs["__initialApiVersion"] == "v1"
    assert outputs["__inputs"]["stringData"] == as_secret({"password": "hunter2-and-more"})
    assert outputs["__inputs"] == login.inputs
    login.delete()


def test_kinds_of_the_cluster_s_own_are_served_as_soon_as_they_are_there(plugin: Plugin, cluster: Client) -> None:
    thing = Resource(plugin, "kubernetes:example.org/v1:Thing", "thing")
    declared: dict[str, Any] = {"metadata": {"name": "thing"}, "spec": {"size": 1}}
    assert thing.create(preview=True, **declared)["spec"] == {"size": 1}
    assert "the cluster does not serve this kind" in told(lambda: thing.create(**declared))

    kind = Resource(plugin, "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition", "things")
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "things", "kind": "Thing"}
    spec = {"group": "example.org", "names": names, "scope": "Namespaced", "versions": [version]}
    kind.create(metadata={"name": "things.example.org"}, spec=spec)
    thing.create(**declared)
    assert cluster.get("/apis/example.org/v1/namespaces/default/things/thing")["spec"] == {"size": 1}
    kind.delete()
    assert thing.read() is None
    thing.delete()


def test_functions_and_patches_of_the_genuine_plugin_are_refused_by_name(plugin: Plugin) -> None:
    invoke = provider_pb2.InvokeRequest(tok="kubernetes:helm:template")
    assert "kubernetes:helm:template: is not served" in told(lambda: plugin.stub.Invoke(invoke))
