"""OSCAR on the cluster that the kubeconfig leads to, and a service that works on files as they come."""

from pathlib import Path

import pulumi

from scar_components import OscarCluster, OscarService

config = pulumi.Config()
host = config.require("host")

cluster = OscarCluster(
    "oscar",
    {
        "volume": {"storage_class": config.get("storageClass") or "nfs"},
        "minio": {"storage_size": "50Gi"},
        "ingress": {"host": host, "issuer": "letsencrypt"},
        "allowed_image_repositories": ["docker.io/library", "ghcr.io/grycap"],
    },
)

sort = OscarService(
    "sort",
    {
        "endpoint": cluster.endpoint,
        "username": cluster.username,
        "password": cluster.password,
        "image": "docker.io/library/debian:12",
        "script": str(Path(__file__).parent / "sort.sh"),
        "inputs": [{"provider": "minio.default", "path": "lists/in"}],
        "outputs": [{"provider": "minio.default", "path": "lists/sorted"}],
    },
    pulumi.ResourceOptions(depends_on=[cluster]),
)

pulumi.export("endpoint", cluster.endpoint)
pulumi.export("username", cluster.username)
pulumi.export("password", cluster.password)
pulumi.export("token", sort.token)
