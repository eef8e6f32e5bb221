"""A service on an OSCAR cluster, and the clusters.

OSCAR knows more keys with every release: those that are not listed are passed on as they are.
"""

from collections.abc import Mapping

from scar_pulumi.fdl.kinds import Anything, Choice, Flag, Items, Key, Kind, Rule, Section, Table, Text, Whole
from scar_pulumi.fdl.tables.storage import storage_list

# A name of RFC 1123; OSCAR itself allows 39 characters, what Knative leaves of 63.
_DNS_LABEL = Rule(
    r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?",
    "is not a name that Kubernetes accepts",
    "use lower-case letters, digits and '-', with a letter or digit at both ends",
)
# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_MEMORY = Text(
    what="an amount of memory",
    loose=True,
    optional=True,
    rules=(
        Rule(
            r"[0-9]+(?:\.[0-9]+)?(?:[EPTGMk]i?|Ki|m|e[0-9]+)?",
            "is not an amount that Kubernetes accepts",
            "write it like 512Mi or 2Gi",
        ),
    ),
)
_CPU = Text(
    what="an amount of CPU",
    loose=True,
    optional=True,
    rules=(
        Rule(r"[0-9]+(?:\.[0-9]+)?|[0-9]+m", "is not an amount that Kubernetes accepts", "write it like 0.5 or 500m"),
    ),
)
_TEXT = Text(loose=True, optional=True, bracketed=True)
_WORDS = Items(of=Text(loose=True))
_LABELS = Table(names=Text(what="a name"), of=_TEXT)
_SCALE = Whole(minimum=0, maximum=10_000)
# Up to 4.0 a number, from 4.1 on a list.
_PORTS = Items(of=Whole(minimum=0, maximum=65_535, whose="TCP's"), single=True)
_NODE_PORTS = Items(of=Whole(minimum=0, maximum=65_535, whose="TCP's"), single=True)
_LOG_LEVELS = ("NOTSET", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_DELEGATION = Choice(values=("static", "random", "load-based", "topsis"))
_READ_ONLY = "OSCAR sets it"


def _keys(kinds: Mapping[str, tuple[str, Kind]]) -> dict[str, Key]:
    return {name: Key(doc=doc, kind=kind) for name, (doc, kind) in kinds.items()}


_VARIABLES = Table(
    names=Text(
        what="a variable's name",
        rules=(
            Rule(
                r"[-._a-zA-Z][-._a-zA-Z0-9]*",
                "is not a name that Kubernetes accepts for a variable",
                "use letters, digits and '_'",
            ),
        ),
    ),
    of=Text(loose=True, bracketed=True),
)
_ENVIRONMENT = Section(
    keys={
        "variables": Key(doc="Variables of the service.", kind=_VARIABLES, secret=True, aliases=("Variables",)),
        "secrets": Key(doc="Variables kept as a secret.", kind=_VARIABLES, secret=True, aliases=("Secrets",)),
    },
    unknown_hint="variables are listed below 'variables:' or 'secrets:'",
)
_MEMBERS = Items(
    of=Section(
        keys={
            "type": Key(doc="What it is.", kind=Choice(values=("oscar", "endpoint")), default="oscar"),
            "url": Key(doc="URL of an endpoint.", kind=_TEXT),
            "ssl_verify": Key(doc="Whether certificates are verified.", kind=Flag()),
            "priority": Key(doc="Lower numbers come first.", kind=_SCALE),
            "headers": Key(doc="Headers of requests.", kind=_LABELS, secret=True),
            **_keys({"cluster_id": ("Id of the cluster.", _TEXT), "service_name": ("Name of the service.", _TEXT)}),
        },
        open_for="OSCAR",
    ),
)
_FEDERATION = Section(
    keys={
        "topology": Key(doc="Who delegates to whom.", kind=Choice(values=("none", "star", "mesh"))),
        "delegation": Key(doc="How a member is chosen.", kind=_DELEGATION),
        "members": Key(doc="Where jobs are delegated to.", kind=_MEMBERS),
        **_keys(
            {
                "group_id": ("Name of the federation.", _TEXT),
                "rescheduler_threshold": ("Seconds in the queue before delegating.", Whole(minimum=0, maximum=10**9)),
            }
        ),
    },
    open_for="OSCAR",
)
_EXPOSE = Section(
    keys={
        "min_scale": Key(doc="Fewest pods.", kind=_SCALE, default=1),
        "max_scale": Key(doc="Most pods.", kind=_SCALE, default=10),
        "api_port": Key(doc="Ports of the container.", kind=_PORTS, aliases=("port",)),
        "cpu_threshold": Key(
            doc="Per cent of CPU above which pods are added.", kind=Whole(minimum=1, maximum=100, unit="%"), default=80
        ),
        "nodePort": Key(doc="Ports on the nodes.", kind=_NODE_PORTS),
        "set_auth": Key(doc="Whether a password is asked for.", kind=Flag(), default=False),
        "auth_type": Key(doc="How it is asked for.", kind=Choice(values=("basic", "forward"))),
        "rewrite_target": Key(doc="Whether the service sees the whole path.", kind=Flag()),
        "default_command": Key(doc="Whether the image's own command runs.", kind=Flag()),
        "health_path": Key(doc="Path that is probed.", kind=_TEXT, default="/"),
        "probe_mode": Key(doc="How it is probed.", kind=Choice(values=("legacy", "direct"))),
    },
    open_for="OSCAR",
    only_if_given=True,
)
_VOLUME = Section(
    keys={
        "name": Key(doc="Name of the volume.", kind=Text(what="a volume's name", rules=(_DNS_LABEL,))),
        "size": Key(doc="Size of a new volume.", kind=_MEMORY),
        "mount_path": Key(
            doc="Path in the container.",
            kind=Text(what="a path", rules=(Rule(r"/.*", "is not an absolute path", "start it with '/'"),)),
            required=True,
        ),
        "lifecycle_policy": Key(doc="What happens to it in the end.", kind=Choice(values=("delete", "retain"))),
    },
    open_for="OSCAR",
)
_CONNECTION = {
    "endpoint": Key(doc="URL of the cluster.", kind=_TEXT),
    "auth_user": Key(doc="User of the cluster's interface.", kind=_TEXT),
    "auth_password": Key(doc="Password of that user.", kind=_TEXT, secret=True),
    "ssl_verify": Key(doc="Whether its certificate is verified.", kind=Flag(), default=True),
}

SERVICE = Section(
    keys={
        "name": Key(
            doc="Name of the service.",
            kind=Text(what="a service name", longest=39, rules=(_DNS_LABEL,)),
            required=True,
        ),
        "image": Key(
            doc="Image of the service.",
            kind=Text(
                what="an image reference",
                longest=1024,
                rules=(Rule(r"\S+", "is not an image reference", "write registry/name:tag"),),
            ),
        ),
        "image_file": Key(
            doc="Image of the service as an archive or a directory, for local stacks; others take `image`.",
            kind=Text(what="a path", longest=4096, optional=True),
        ),
        "script": Key(doc="Script that runs for each event.", kind=Text(what="a path", longest=4096, optional=True)),
        "memory": Key(doc="Memory of the service.", kind=_MEMORY, default="256Mi"),
        "cpu": Key(doc="CPU of the service.", kind=_CPU, default="0.2"),
        "total_memory": Key(doc="Memory of all its jobs together.", kind=_MEMORY),
        "total_cpu": Key(doc="CPU of all its jobs together.", kind=_CPU),
        "ephemeral_storage_request": Key(doc="Disk of a job.", kind=_MEMORY),
        "enable_gpu": Key(doc="Whether it gets a GPU.", kind=Flag()),
        "enable_sgx": Key(doc="Whether it gets SGX.", kind=Flag()),
        "image_prefetch": Key(doc="Whether nodes fetch the image beforehand.", kind=Flag()),
        "alpine": Key(doc="Whether the image is built on Alpine.", kind=Flag()),
        "file_stage_in": Key(doc="Whether input files are left where they are.", kind=Flag()),
        "propagate_token": Key(doc="Whether the caller's token is passed on.", kind=Flag()),
        "log_level": Key(
            doc="Level of the supervisor's lines.", kind=Choice(values=_LOG_LEVELS, fold=True), default="INFO"
        ),
        "input": storage_list("Places whose new files start the service.", on_cluster=True),
        "output": storage_list("Places where result files go.", on_cluster=True),
        "environment": Key(doc="Variables of the service.", kind=_ENVIRONMENT),
        "synchronous": Key(
            doc="Pods of synchronous calls.",
            kind=Section(
                keys=_keys({"min_scale": ("Fewest pods.", _SCALE), "max_scale": ("Most pods; 0 is no limit.", _SCALE)}),
                open_for="OSCAR",
            ),
        ),
        "expose": Key(doc="The service's own HTTP interface.", kind=_EXPOSE),
        "federation": Key(doc="Services that jobs are delegated to.", kind=_FEDERATION),
        "replicas": Key(doc="Services that jobs are delegated to, before OSCAR 4.1.", kind=_MEMBERS),
        "delegation": Key(doc="How a replica is chosen, before OSCAR 4.1.", kind=_DELEGATION),
        "rescheduler_threshold": Key(
            doc="Seconds in the queue before delegating.", kind=Whole(minimum=0, maximum=10**9)
        ),
        "mount": Key(
            doc="Storage as a folder.",
            kind=Section(
                keys=_keys({"storage_provider": ("Which storage.", _TEXT), "path": ("Which folder.", _TEXT)}),
                open_for="OSCAR",
            ),
        ),
        "volume": Key(doc="A volume of the cluster.", kind=_VOLUME),
        "isolation_level": Key(doc="Whether users share buckets.", kind=Choice(values=("SERVICE", "USER"), fold=True)),
        "visibility": Key(
            doc="Who sees the service.", kind=Choice(values=("private", "restricted", "public"), fold=True)
        ),
        "kserve": Key(doc="A model that KServe serves.", kind=Anything()),
        "allow_loop": Key(doc="Whether outputs may start the service again.", kind=Flag(), default=False),
        **_keys(
            {
                "cluster_id": ("Id of the cluster.", _TEXT),
                "vo": ("Virtual organization of its users.", _TEXT),
                "allowed_users": ("Users of a restricted service.", _WORDS),
                "image_pull_secrets": ("Secrets of private registries.", _WORDS),
                "annotations": ("Kubernetes annotations of jobs.", _LABELS),
                "labels": ("Kubernetes labels of jobs.", _LABELS),
                "interlink_node_name": ("Node of InterLink.", _TEXT),
            }
        ),
        **_CONNECTION,
        **{
            name: Key(doc="Part of what OSCAR answers.", note=_READ_ONLY)
            for name in ("token", "owner", "namespace", "bucket_list", "volume_status", "deployment")
        },
    },
    at_least_one=("image", "image_file"),
    open_for="OSCAR",
)

OSCAR = Items(
    of=Table(
        names=Text(
            what="a cluster's id", rules=(Rule(r"\S+", "cannot name a cluster", "use letters, digits and '-'"),)
        ),
        of=SERVICE,
    ),
)

CLUSTERS = Key(
    doc="OSCAR clusters: id, then where and how they are reached.",
    kind=Table(names=Text(what="a cluster's id"), of=Section(keys=_CONNECTION, open_for="OSCAR")),
)
