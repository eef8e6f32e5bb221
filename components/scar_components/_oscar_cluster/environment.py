"""The variables of OSCAR's server, those in clear and those in its Secret.

https://github.com/grycap/oscar/blob/master/pkg/types/config.go
"""

from typing import Any

from scar_components._oscar_cluster.names import CONFIGURATION, OSCAR, PORT, SERVICE_ACCOUNT, SERVICES_NAMESPACE
from scar_components.oscar_cluster_arguments import KueueArgs, OidcArgs, OscarClusterArgs


def clear_variables(args: OscarClusterArgs, minio_endpoint: Any, region: Any) -> dict[str, Any]:
    """What everybody who may look at the Deployment can read."""
    external = args.get("external_minio")
    return {
        "OSCAR_NAME": OSCAR,
        "OSCAR_NAMESPACE": OSCAR,
        "OSCAR_SERVICES_NAMESPACE": SERVICES_NAMESPACE,
        "OSCAR_CONTROLLER_SERVICE_ACCOUNT": SERVICE_ACCOUNT,
        "OSCAR_SERVICE_PORT": str(PORT),
        "SERVERLESS_BACKEND": args.get("serverless_backend", ""),
        "MINIO_ENDPOINT": minio_endpoint,
        "MINIO_REGION": region,
        "MINIO_TLS_VERIFY": _flag(external is None or external.get("tls_verify", True)),
        "ADDITIONAL_CONFIG_PATH": CONFIGURATION,
        "RESOURCE_MANAGER_ENABLE": _flag(args.get("resource_manager", False)),
        "RESCHEDULER_ENABLE": _flag(args.get("rescheduler", False)),
        "KSERVE_ENABLE": _flag(args.get("kserve", False)),
        **_volumes(args),
        **_kueue(args.get("kueue")),
        **_yunikorn(args),
        **_oidc(args.get("oidc")),
        **_exposure(args),
        **args.get("environment", {}),
    }


def secret_variables(args: OscarClusterArgs, credentials: dict[str, Any]) -> dict[str, Any]:
    """What only those who may read the Secret, and the server, see. `credentials` are OSCAR's and MinIO's."""
    oidc = args.get("oidc")
    client = {"OIDC_CLIENT_SECRET": oidc["client_secret"]} if oidc and "client_secret" in oidc else {}
    return {**credentials, **client, **args.get("secret_environment", {})}


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _volumes(args: OscarClusterArgs) -> dict[str, Any]:
    # Volumes of services need a class that many nodes mount, too.
    chosen = args["volume"].get("storage_class")
    return {"STORAGE_CLASS_NAME": chosen} if chosen is not None else {}


def _kueue(args: KueueArgs | None) -> dict[str, Any]:
    if args is None:
        return {"KUEUE_ENABLE": "false"}  # the server's own default is true
    quotas = {
        "KUEUE_DEFAULT_CPU": args.get("cpu"),
        "KUEUE_DEFAULT_MEMORY": args.get("memory"),
        "KUEUE_DEFAULT_GPU": args.get("gpu"),
        "KUEUE_DEFAULT_EPHEMERAL_STORAGE": args.get("ephemeral_storage"),
        "KUEUE_DEFAULT_FLAVOR": args.get("flavor"),
    }
    return {"KUEUE_ENABLE": "true", **_given(quotas)}


def _yunikorn(args: OscarClusterArgs) -> dict[str, Any]:
    chosen = args.get("yunikorn")
    if chosen is None:
        return {"YUNIKORN_ENABLE": "false"}
    places = {
        "YUNIKORN_NAMESPACE": chosen.get("namespace"),
        "YUNIKORN_CONFIGMAP": chosen.get("config_map"),
        "YUNIKORN_CONFIG_FILENAME": chosen.get("config_file"),
    }
    return {"YUNIKORN_ENABLE": "true", **_given(places)}


def _oidc(args: OidcArgs | None) -> dict[str, Any]:
    if args is None:
        return {"OIDC_ENABLE": "false"}
    given = {
        "OIDC_ISSUERS": ",".join(args["issuers"]),
        "OIDC_SUBJECT": args.get("subject"),
        "OIDC_GROUPS": ",".join(args["groups"]) if "groups" in args else None,
        "OIDC_CLIENT_ID": args.get("client_id"),
        "USERS_ADMIN": ",".join(args["administrators"]) if "administrators" in args else None,
    }
    return {"OIDC_ENABLE": "true", **_given(given)}


def _exposure(args: OscarClusterArgs) -> dict[str, Any]:
    """Where OSCAR publishes the services that it exposes."""
    if route := args.get("http_route"):
        return {
            "INGRESS_HOST": route["host"],
            "EXPOSED_SERVICES_ROUTE_KIND": "httproute",
            "HTTPROUTE_GATEWAY_NAME": route["gateway_name"],
            "HTTPROUTE_GATEWAY_NAMESPACE": route["gateway_namespace"],
        }
    ingress = args.get("ingress")
    return {"INGRESS_HOST": ingress["host"]} if ingress else {}


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
