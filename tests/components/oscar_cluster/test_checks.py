"""Arguments of an OSCAR cluster that would fail later, or mean something else."""

import pulumi
import pytest

from scar_components import OscarClusterArgs
from scar_components.oscar_cluster.storage import check_storage_class
from tests.components.oscar_cluster.test_cluster import MINIO, cluster
from tests.world.pulumi_mocks import Recorder


def test_a_storage_class_that_one_node_mounts_is_refused_with_the_reason() -> None:
    with pytest.raises(pulumi.RunError, match=r"storage_class: gp3 .*one node.*EBS.*ReadWriteMany.*kubectl get"):
        check_storage_class("gp3", "ebs.csi.aws.com")
    assert check_storage_class("nfs", "nfs.csi.k8s.io") == "nfs"


def test_every_mistake_is_told_at_once(recorder: Recorder) -> None:
    with pytest.raises(pulumi.RunError) as error:
        cluster(
            volume={},
            version="latest",
            minio={"service_type": "Nodeport", "node_port": 9000, "root_password": "short"},
            external_minio=MINIO,
            serverless_backend="openfaas",
            service_pod_security="restricted",
            service={"node_port": 30301},
            ingress={"host": "o.org"},
            http_route={"host": "o.org", "gateway_name": "g", "gateway_namespace": "g"},
            oidc={"issuers": []},
        )
    places = [line.partition(":")[0] for line in str(error.value).splitlines()]
    assert places == [
        "volume.storage_class",
        "minio, external_minio",
        "ingress, http_route",
        "service.node_port",
        "minio.service_type",
        "minio.node_port",
        "minio.node_port",
        "minio.root_password",
        "serverless_backend",
        "service_pod_security",
        "version",
        "oidc.issuers",
    ]
    assert recorder.types().keys() <= {"oscar"}


def test_users_after_whom_no_secret_is_named_are_refused(recorder: Recorder) -> None:
    with pytest.raises(pulumi.RunError) as error:
        cluster(minio={"root_user": "Root"}, uploaders=["fine", "AKIAIOSFODNN7EXAMPLE"])
    places = [line.partition(":")[0] for line in str(error.value).splitlines()]
    assert places == ["minio.root_user", "uploaders[1]"]
    assert recorder.types().keys() <= {"oscar"}


def test_arguments_of_a_configuration_are_checked_as_a_type_checker_would(recorder: Recorder) -> None:
    with pytest.raises(pulumi.RunError) as error:
        cluster(
            volume={"storageclass": "nfs", "size": 2},
            minio=[],
            kserve="yes",
            ingress={"class_name": "traefik"},
            allowed_image_repositories="ghcr.io/grycap",
            password=pulumi.Output.secret("known later"),
            helm={},
        )
    assert str(error.value).splitlines() == [
        "volume.storageclass: is unknown; did you mean 'storage_class'?",
        'volume.size: 2 is not text; write it in quotes, such as "2"',
        "minio: [] is not a map; write its keys below it",
        "kserve: 'yes' is not true or false",
        "ingress.host: is missing; give it",
        "allowed_image_repositories: 'ghcr.io/grycap' is not a list; write [ghcr.io/grycap]",
        f"helm: is unknown; use one of {', '.join(sorted(OscarClusterArgs.__annotations__))}",
    ]
