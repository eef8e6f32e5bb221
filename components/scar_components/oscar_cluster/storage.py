"""MinIO with its volume, and the volume with OSCAR's own programs that every service mounts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from scar_components.oscar_cluster import objects
from scar_components.oscar_cluster.arguments import MinioArgs
from scar_components.oscar_cluster.objects import (
    MINIO,
    MINIO_PORT,
    MINIO_SECRET,
    PATCH_FORCE,
    SERVICES_NAMESPACE,
    SKIP_AWAIT,
    VOLUME_CLAIM,
    Manifest,
    app_labels,
    metadata,
)

IMAGE = "quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z"
ROOT_SECRET = "minio-root"  # noqa: S105 - a name
_CONSOLE_PORT = 9001
_USER = 1000
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True)
class Minio:
    """The objects of MinIO: one server with one volume."""

    args: MinioArgs = field(default_factory=MinioArgs)
    labels: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, Any] = field(default_factory=dict)
    node_autoscaling: bool = True

    def secret(self, user: Any, password: Any) -> Manifest:
        """Return the Secret with the root user."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata(ROOT_SECRET, MINIO, labels=self._labels),
            "stringData": {"MINIO_ROOT_USER": user, "MINIO_ROOT_PASSWORD": password},
        }

    def volume_claim(self) -> Manifest:
        """Return the claim of the volume with the files."""
        chosen = self.args.get("storage_class")
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": self.args.get("storage_size", "10Gi")}},
            **({"storageClassName": chosen} if chosen is not None else {}),
        }
        meta = metadata(MINIO, MINIO, labels=self._labels, annotations=SKIP_AWAIT)
        return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}

    def deployment(self, credentials_revision: Any) -> Manifest:
        """Return the Deployment; a new `credentials_revision` restarts the server when its password changes."""
        movable = objects.STAYS if self.node_autoscaling else {}
        template = {
            "metadata": {
                "labels": self._labels,
                "annotations": {"scar/credentials-revision": credentials_revision, **movable},
            },
            "spec": {
                "automountServiceAccountToken": False,
                "securityContext": objects.pod_security(_USER),
                "containers": [self._container()],
                "volumes": [
                    {"name": "data", "persistentVolumeClaim": {"claimName": MINIO}},
                    {"name": "home", "emptyDir": {}},
                ],
                **objects.placed(self.node_selector),
            },
        }
        spec = {
            "replicas": 1,
            "strategy": {"type": "Recreate"},  # two servers must not write to one volume
            "selector": {"matchLabels": {"app": MINIO}},
            "template": template,
        }
        meta = metadata(MINIO, MINIO, labels=self._labels, annotations=PATCH_FORCE)
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}

    def service(self) -> Manifest:
        """Return the Service."""
        port: dict[str, Any] = {"name": "api", "port": MINIO_PORT, "targetPort": "api"}
        if node_port := self.args.get("node_port"):
            port["nodePort"] = node_port
        console = {"name": "console", "port": _CONSOLE_PORT, "targetPort": "console"}
        ports = [port, *([console] if self.args.get("console") else [])]
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata(MINIO, MINIO, labels=self._labels),
            "spec": objects.published(self.args.get("service_type", "ClusterIP"), ports, self._labels),
        }

    @property
    def _labels(self) -> dict[str, str]:
        return app_labels(MINIO, "storage", self.labels)

    def _container(self) -> dict[str, Any]:
        console = self.args.get("console", False)
        environment = {
            "HOME": "/home/minio",
            "MINIO_REGION": self.args.get("region", DEFAULT_REGION),
            "MINIO_BROWSER": "on" if console else "off",
        }
        ports = [{"name": "api", "containerPort": MINIO_PORT}]
        return {
            "name": "minio",
            "image": self.args.get("image", IMAGE),
            "args": ["server", "/data", "--console-address", f":{_CONSOLE_PORT}"],
            "env": [{"name": name, "value": value} for name, value in environment.items()],
            "envFrom": [{"secretRef": {"name": ROOT_SECRET}}],
            "ports": [*ports, {"name": "console", "containerPort": _CONSOLE_PORT}] if console else ports,
            "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "home", "mountPath": "/home/minio"}],
            "startupProbe": objects.http_probe("/minio/health/live", "api", 2, failures=60),
            "livenessProbe": objects.http_probe("/minio/health/live", "api", 15, failures=5),
            "readinessProbe": objects.http_probe("/minio/health/ready", "api", 5),
            "resources": objects.requirements(self.args.get("resources", {}), "250m", "512Mi"),
            "securityContext": objects.CONTAINER_SECURITY,
        }


DOWNLOADER_IMAGE = "ghcr.io/grycap/oscar-bin-downloader:latest"
SUPERVISOR_VERSION = "1.6.2"
WATCHDOG_VERSION = "0.2.1"

# The image's user is root, and the volume's folder may belong to any user.
_FILLING_CAPABILITIES = {"drop": ["ALL"], "add": ["CHOWN", "DAC_OVERRIDE", "FOWNER"]}

# Provisioners whose volumes only one node mounts at a time, according to their documentation.
# https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes
_ONE_NODE = {
    "blockvolume.csi.oraclecloud.com": "Oracle's block volumes",
    "cinder.csi.openstack.org": "Cinder",
    "csi.hetzner.cloud": "Hetzner's volumes",
    "csi.scaleway.com": "Scaleway's block storage",
    "disk.csi.azure.com": "Azure disks",
    "diskplugin.csi.alibabacloud.com": "Alibaba's disks",
    "dobs.csi.digitalocean.com": "DigitalOcean's volumes",
    "ebs.csi.aws.com": "EBS",
    "ebs.csi.eks.amazonaws.com": "EBS",
    "kubernetes.io/aws-ebs": "EBS",
    "kubernetes.io/azure-disk": "Azure disks",
    "kubernetes.io/cinder": "Cinder",
    "kubernetes.io/gce-pd": "Persistent Disk",
    "linodebs.csi.linode.com": "Linode's block storage",
    "local.csi.openebs.io": "OpenEBS' local volumes",
    "openebs.io/local": "OpenEBS' local volumes",
    "pd.csi.storage.gke.io": "Persistent Disk",
    "rancher.io/local-path": "a folder of one node",
    "rbd.csi.ceph.com": "Ceph's block devices",
    "topolvm.io": "logical volumes of one node",
}


def check_storage_class(name: str, provisioner: str) -> str:
    """Return the name of a storage class. Raises RunError if only one node at a time can mount its volumes."""
    if kind := _ONE_NODE.get(provisioner):
        raise pulumi.RunError(
            f"volume.storage_class: {name} makes volumes that one node mounts at a time ({provisioner}: {kind}), but "
            "the pods of services run on any node; use a class with ReadWriteMany, such as one of NFS "
            "(nfs.csi.k8s.io, cluster.local/nfs-…), CephFS, EFS, Filestore or Azure Files; `kubectl get storageclass` "
            "lists those of the cluster"
        )
    return name


def volume_claim(storage_class: Any, size: Any, labels: Mapping[str, str]) -> Manifest:
    """Return the claim. The engine does not wait for it, because some classes bind at the first use."""
    spec = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": storage_class,
        "resources": {"requests": {"storage": size}},
    }
    meta = metadata(VOLUME_CLAIM, SERVICES_NAMESPACE, labels=labels, annotations=SKIP_AWAIT)
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def filling_job(
    versions: tuple[Any, Any], image: Any, labels: Mapping[str, str], node_selector: Mapping[str, Any]
) -> Manifest:
    """Return the job that puts the given versions of supervisor and watchdog on the volume.

    It is kept when it is done: a job that removes itself would show as deleted, and run again, at every refresh.
    """
    names = ("FAAS_SUPERVISOR_VERSION", "WATCHDOG_VERSION")
    container = {
        "name": "bin-downloader",
        "image": image,
        "env": [{"name": name, "value": version} for name, version in zip(names, versions, strict=True)],
        "volumeMounts": [{"name": "oscar-vol", "mountPath": "/data"}],
        "resources": objects.requirements({}, "100m", "128Mi"),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": _FILLING_CAPABILITIES},
    }
    pod = {
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "oscar-vol", "persistentVolumeClaim": {"claimName": VOLUME_CLAIM}}],
        **objects.placed(node_selector),
    }
    template = {"metadata": {"labels": app_labels("oscar-volume", "volume", labels)}, "spec": pod}
    meta = metadata("populate-volume-job", SERVICES_NAMESPACE, labels=labels)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta,
        "spec": {"backoffLimit": 3, "template": template},
    }


def storage_secret(access_key: Any, secret_key: Any, labels: Mapping[str, str], name: str = MINIO_SECRET) -> Manifest:
    """Return the Secret that jobs mount to use MinIO. A job that a file starts mounts that of the key that wrote it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(name, SERVICES_NAMESPACE, labels=labels),
        "stringData": {"oidc_uid": name, "accessKey": access_key, "secretKey": secret_key},
    }
