"""OSCAR on a Kubernetes cluster: its server, its storage and what they need."""

from collections.abc import Mapping, Sequence
from typing import Optional

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import ComponentResource, Input, Output, ResourceOptions

from scar_components.oscar_cluster import network, storage
from scar_components.oscar_cluster.access import Access
from scar_components.oscar_cluster.arguments import OscarClusterArgs
from scar_components.oscar_cluster.checks import check_arguments, features, names_secret, required_kinds
from scar_components.oscar_cluster.objects import (
    INTERNAL_ENDPOINT,
    MINIO,
    MINIO_ENDPOINT,
    MINIO_SECRET,
    OSCAR,
    SERVICES_NAMESPACE,
    Manifest,
    declare,
    namespaces,
)
from scar_components.oscar_cluster.server import Server, clear_variables, secret_variables, server_image
from scar_components.oscar_cluster.storage import DEFAULT_REGION, Minio
from scar_components.secret_values import GeneratedPassword, SecretRevision

Resources = list[pulumi.Resource]


class OscarCluster(ComponentResource):
    """OSCAR on a Kubernetes cluster, the one of the stack's kubernetes provider (`opts.providers`).

    OscarService, or oscar-cli, creates services at its endpoint. A cluster has one OSCAR at most, because the
    namespaces `oscar`, `oscar-svc` and `minio` have fixed names.
    """

    endpoint: Output[str]
    """URL of OSCAR for programs outside the cluster."""
    internal_endpoint: Output[str]
    """URL of OSCAR inside the cluster."""
    username: Output[str]
    """Name of OSCAR's administrator."""
    password: Output[str]
    """Password of OSCAR's administrator; a secret."""
    minio_endpoint: Output[str]
    """URL of MinIO inside the cluster, or of the external MinIO."""
    minio_access_key: Output[str]
    """Access key of MinIO's administrator; a secret."""
    minio_secret_key: Output[str]
    """Secret key of MinIO's administrator; a secret."""
    services_namespace: Output[str]
    """Namespace of the services and their jobs."""

    def __init__(self, name: str, args: OscarClusterArgs, opts: Optional[ResourceOptions] = None) -> None:
        """Declare the namespaces, the rights, the storage and the server."""
        super().__init__("scar:index:OscarCluster", name, None, opts)
        check_arguments(args)
        self._name = name
        self._args = args
        self._labels = dict(args.get("labels", {}))
        self._credentials()
        found = self._preflight()
        spaces = self._namespaces()
        rights = self._rights(spaces)
        minio = self._minio(spaces)
        shared = self._volume(spaces)
        server = self._server([*rights, *minio, *shared, *found], spaces)
        self._network_policies(spaces)
        self.endpoint = Output.from_input(args.get("endpoint", network.endpoint(args, server)))
        self.internal_endpoint = Output.from_input(INTERNAL_ENDPOINT)
        self.services_namespace = Output.from_input(SERVICES_NAMESPACE)
        self.register_outputs({key: getattr(self, key) for key in OscarCluster.__annotations__})

    def _declare(
        self, suffix: str, manifest: Manifest, depends_on: Sequence[pulumi.Resource] = (), *, protect: bool = False
    ) -> pulumi.CustomResource:
        # Names are fixed, so the old object must be deleted before its replacement is created.
        opts = ResourceOptions(
            parent=self, depends_on=list(depends_on), delete_before_replace=True, protect=protect or None
        )
        return declare(f"{self._name}-{suffix}", manifest, opts)

    def _credentials(self) -> None:
        """Choose the administrators of OSCAR and of MinIO."""
        external = self._args.get("external_minio")
        minio = self._args.get("minio", {})
        self.username = Output.from_input(self._args.get("username", "oscar"))
        self.password = self._secret("password", self._args.get("password"))
        if external:
            self.minio_endpoint = Output.from_input(external["endpoint"])
            self.minio_access_key = Output.secret(external["access_key"])
            self.minio_secret_key = Output.secret(external["secret_key"])
        else:
            self.minio_endpoint = Output.from_input(MINIO_ENDPOINT)
            self.minio_access_key = Output.secret(minio.get("root_user", "minio"))
            self.minio_secret_key = self._secret("minio-password", minio.get("root_password"))

    def _secret(self, suffix: str, given: Optional[Input[str]]) -> Output[str]:
        if given is not None:
            return Output.secret(given)
        return Output.secret(GeneratedPassword(f"{self._name}-{suffix}", ResourceOptions(parent=self)).value)

    def _revision(self, suffix: str, values: Mapping[str, Input[str]]) -> Output[str]:
        return SecretRevision(f"{self._name}-{suffix}", values, ResourceOptions(parent=self)).mark

    def _preflight(self) -> Resources:
        """Look up what must be installed; the engine names what is missing."""
        if not self._args.get("preflight", True):
            return []
        kind = kubernetes.apiextensions.v1.CustomResourceDefinition
        opts = ResourceOptions(parent=self)
        return [kind.get(f"{self._name}-{label}", id_, opts) for label, id_ in required_kinds(self._args).items()]

    def _namespaces(self) -> dict[str, Resources]:
        if not self._args.get("create_namespaces", True):
            return {}
        level = self._args.get("service_pod_security", "baseline")
        wanted = namespaces(level, self._labels, minio=self._deploys_minio)
        return {
            name: [self._declare(f"namespace-{name}", manifest, protect=name == MINIO and self._keeps_data)]
            for name, manifest in wanted.items()
        }

    def _rights(self, spaces: Mapping[str, Resources]) -> Resources:
        access = Access(features(self._args), self._labels)
        account = [self._declare("service-account", access.service_account(), spaces.get(OSCAR, ()))]
        role = [self._declare("role", access.role(), spaces.get(SERVICES_NAMESPACE, ()))]
        cluster_role = [self._declare("cluster-role", access.cluster_role())]
        bindings: Resources = [
            self._declare("role-binding", access.role_binding(), [*account, *role]),
            self._declare("cluster-role-binding", access.cluster_role_binding(), [*account, *cluster_role]),
        ]
        if "yunikorn" in self._args:
            namespace = self._args["yunikorn"].get("namespace", "yunikorn")
            queues = [self._declare("yunikorn-role", access.yunikorn_role(namespace))]
            binding = access.yunikorn_role_binding(namespace)
            bindings.append(self._declare("yunikorn-role-binding", binding, [*account, *queues]))
        return bindings

    def _minio(self, spaces: Mapping[str, Resources]) -> Resources:
        if not self._deploys_minio:
            return []
        minio = Minio(
            self._args.get("minio", {}),
            self._labels,
            self._args.get("node_selector", {}),
            self._args.get("node_autoscaling", True),
        )
        space = spaces.get(MINIO, ())
        secret = self._declare("minio-secret", minio.secret(self.minio_access_key, self.minio_secret_key), space)
        claim = self._declare("minio-volume", minio.volume_claim(), space, protect=self._keeps_data)
        credentials = {"user": self.minio_access_key, "password": self.minio_secret_key}
        manifest = minio.deployment(self._revision("minio-revision", credentials))
        deployment = self._declare("minio", manifest, [secret, claim])
        return [self._declare("minio-service", minio.service(), [deployment])]

    def _volume(self, spaces: Mapping[str, Resources]) -> Resources:
        space = spaces.get(SERVICES_NAMESPACE, ())
        secret = self._storage_secret(MINIO_SECRET)
        made = [self._declare("storage-secret", secret, space), *self._uploader_secrets(space)]
        claims = []
        if not self._args["volume"].get("existing_claim"):
            size = self._args["volume"].get("size", "2Gi")
            manifest = storage.volume_claim(self._storage_class(), size, self._labels)
            claims = [self._declare("volume", manifest, space)]
        versions = (
            self._args.get("supervisor_version", storage.SUPERVISOR_VERSION),
            self._args.get("watchdog_version", storage.WATCHDOG_VERSION),
        )
        image = self._args.get("downloader_image", storage.DOWNLOADER_IMAGE)
        job = storage.filling_job(versions, image, self._labels, self._args.get("node_selector", {}))
        return [*made, self._declare("volume-job", job, claims or space)]

    def _uploader_secrets(self, space: Sequence[pulumi.Resource]) -> Resources:
        """Declare the Secrets named like MinIO's users that OSCAR's jobs mount for files that these users wrote."""
        external = self._args.get("external_minio")
        user = external["access_key"] if external else self._args.get("minio", {}).get("root_user", MINIO_SECRET)
        names = {user: "uploader-secret"} if isinstance(user, str) else {}
        if isinstance(user, str) and not names_secret(user):
            pulumi.log.warn(
                f"{self._name}: files that MinIO's user {user!r} writes start no jobs: OSCAR would mount a Secret of "
                "that name, which Kubernetes does not take; write them with another user, and list it in uploaders",
                self,
            )
            names = {}
        names = {**{key: f"uploader-{key}" for key in self._args.get("uploaders", ())}, **names}
        return [
            self._declare(suffix, self._storage_secret(key), space)
            for key, suffix in names.items()
            if key != MINIO_SECRET
        ]

    def _storage_secret(self, name: str) -> Manifest:
        return storage.storage_secret(self.minio_access_key, self.minio_secret_key, self._labels, name)

    def _storage_class(self) -> Output[str]:
        """Return the storage class of the services' volume, after checking that many nodes can mount it."""
        given = Output.from_input(self._args["volume"]["storage_class"])
        if not self._args.get("preflight", True):
            return given
        opts = ResourceOptions(parent=self)
        found = kubernetes.storage.v1.StorageClass.get(f"{self._name}-storage-class", given, opts)
        return Output.all(given, found.provisioner).apply(lambda both: storage.check_storage_class(*both))

    def _server(self, needed: Resources, spaces: Mapping[str, Resources]) -> pulumi.CustomResource:
        args = self._args
        space = spaces.get(OSCAR, ())
        server = Server(self._labels, args.get("node_selector", {}), args.get("node_autoscaling", True))
        credentials = {
            "OSCAR_USERNAME": self.username,
            "OSCAR_PASSWORD": self.password,
            "MINIO_ACCESS_KEY": self.minio_access_key,
            "MINIO_SECRET_KEY": self.minio_secret_key,
        }
        hidden = secret_variables(args, credentials)
        known = [self._declare("server-secret", server.secret(hidden), space)]
        if "allowed_image_repositories" in args:
            manifest = server.configuration(args["allowed_image_repositories"])
            known.append(self._declare("configuration", manifest, space))
        region = (args.get("external_minio") or args.get("minio") or {}).get("region", DEFAULT_REGION)
        clear = clear_variables(args, self.minio_endpoint, region)
        revision = self._revision("server-revision", hidden)
        manifest = server.deployment(server_image(args), clear, revision, args.get("resources", {}))
        deployment = self._declare("server", manifest, [*needed, *known])
        service = self._declare("service", server.service(args.get("service", {})), [deployment])
        if "ingress" in args:
            self._declare("ingress", network.ingress(args["ingress"], self._labels), [service])
        if "http_route" in args:
            self._declare("http-route", network.http_route(args["http_route"], self._labels), [service])
        return service

    def _network_policies(self, spaces: Mapping[str, Resources]) -> None:
        if self._args.get("network_policies", True):
            for suffix, manifest in network.policies(self._args, self._labels).items():
                self._declare(f"network-{suffix}", manifest, spaces.get(manifest["metadata"]["namespace"], ()))

    @property
    def _deploys_minio(self) -> bool:
        return "external_minio" not in self._args

    @property
    def _keeps_data(self) -> bool:
        return not self._args.get("minio", {}).get("delete_data", False)
