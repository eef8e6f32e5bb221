"""The volume with the supervisor and the watchdog, which every service mounts, and the job that fills it."""

from collections.abc import Mapping
from typing import Any

import pulumi

from scar_components._oscar_cluster import pods
from scar_components._oscar_cluster.names import (
    MINIO_SECRET,
    SERVICES_NAMESPACE,
    SKIP_AWAIT,
    VOLUME_CLAIM,
    Manifest,
    app_labels,
    metadata,
)

DOWNLOADER_IMAGE = "ghcr.io/grycap/oscar-bin-downloader:latest"
SUPERVISOR_VERSION = "1.6.2"
WATCHDOG_VERSION = "0.2.1"

# The image's user is root, and the volume's folder may be anybody's.
_FILLING_CAPABILITIES = {"drop": ["ALL"], "add": ["CHOWN", "DAC_OVERRIDE", "FOWNER"]}

# Provisioners whose volumes one node mounts at a time; each says so in its documentation.
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
    """Return the name of a storage class. Raises RunError when only one node at a time can mount its volumes."""
    if kind := _ONE_NODE.get(provisioner):
        raise pulumi.RunError(
            f"volume.storage_class: {name} makes volumes that one node mounts at a time ({provisioner}: {kind}), but "
            "the pods of services run on any node; name a class with ReadWriteMany, such as one of NFS "
            "(nfs.csi.k8s.io, cluster.local/nfs-…), CephFS, EFS, Filestore or Azure Files; `kubectl get storageclass` "
            "lists those of the cluster"
        )
    return name


def volume_claim(storage_class: Any, size: Any, labels: Mapping[str, str]) -> Manifest:
    """The claim. Nobody waits for it but the job that mounts it: some classes bind at the first use."""
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
    """The job that puts the supervisor and the watchdog, of the given versions, on the volume.

    It is kept when it is done: a job that removes itself would show as deleted, and run again, at every refresh.
    """
    names = ("FAAS_SUPERVISOR_VERSION", "WATCHDOG_VERSION")
    container = {
        "name": "bin-downloader",
        "image": image,
        "env": [{"name": name, "value": version} for name, version in zip(names, versions, strict=True)],
        "volumeMounts": [{"name": "oscar-vol", "mountPath": "/data"}],
        "resources": pods.requirements({}, "100m", "128Mi"),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": _FILLING_CAPABILITIES},
    }
    pod = {
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "oscar-vol", "persistentVolumeClaim": {"claimName": VOLUME_CLAIM}}],
        **pods.placed(node_selector),
    }
    template = {"metadata": {"labels": app_labels("oscar-volume", "volume", labels)}, "spec": pod}
    meta = metadata("populate-volume-job", SERVICES_NAMESPACE, labels=labels)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta,
        "spec": {"backoffLimit": 3, "template": template},
    }


def storage_secret(access_key: Any, secret_key: Any, labels: Mapping[str, str]) -> Manifest:
    """What every job mounts to reach MinIO."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(MINIO_SECRET, SERVICES_NAMESPACE, labels=labels),
        "stringData": {"oidc_uid": "minio", "accessKey": access_key, "secretKey": secret_key},
    }
