"""A service on an OSCAR cluster, and the clusters.

OSCAR knows more keys with every release: those that are not listed are passed on as they are.
"""

from dataclasses import replace

from scar_foundation import oscar_limits as limits
from scar_pulumi.fdl.kinds import Anything, Choice, Flag, Items, Key, Rule, Section, Table, Text, Whole
from scar_pulumi.fdl.model import OscarService
from scar_pulumi.fdl.tables.names import FILE, SCRIPT
from scar_pulumi.fdl.tables.storage import storage_list

_DNS_LABEL = Rule(
    limits.SERVICE_NAME_PATTERN,
    "is not a name that Kubernetes accepts",
    "use lower-case letters, digits and '-', with a letter or digit at both ends",
)
_MEMORY = Text(
    what="an amount of memory",
    loose=True,
    optional=True,
    rules=(Rule(limits.QUANTITY_PATTERN, "is not an amount that Kubernetes accepts", "write it like 512Mi or 2Gi"),),
)
_CPU = Text(
    what="an amount of CPU",
    loose=True,
    optional=True,
    rules=(Rule(limits.CPU_PATTERN, "is not an amount that Kubernetes accepts", "write it like 0.5 or 500m"),),
)
_TEXT = Text(loose=True, optional=True, bracketed=True)
_WORDS = Items(Text(loose=True))
_LABELS = Table(names=Text(what="a name"), of=_TEXT)
_PODS = {name: Whole.within(numbers) for name, numbers in limits.RANGES["synchronous"].items()}
_SECONDS = Whole(minimum=0, maximum=10**9)
# A number in OSCAR up to 4.0, a list from 4.1 on.
_PORTS = Items(Whole.within(limits.PORT, whose="TCP's"), single=True)
_LOG_LEVELS = ("NOTSET", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_DELEGATION = Choice(("static", "random", "load-based", "topsis"))
_READ_ONLY = "OSCAR sets it"


_VARIABLES = Table(
    names=Text(
        what="a variable name",
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
        "variables": Key("Variables of the service.", _VARIABLES, secret=True, aliases=("Variables",)),
        "secrets": Key("Variables that are kept in a secret.", _VARIABLES, secret=True, aliases=("Secrets",)),
    },
    unknown_hint="list variables below 'variables:' or 'secrets:'",
)
_MEMBERS = Items(
    Section(
        keys={
            "type": Key(
                "A service on an OSCAR cluster, or an HTTP endpoint.", Choice(("oscar", "endpoint")), default="oscar"
            ),
            "url": Key("URL of an endpoint.", _TEXT),
            "ssl_verify": Key("Whether the certificate of the endpoint is verified.", Flag()),
            "priority": Key("Order of the members; lower numbers come first.", Whole(minimum=0, maximum=10_000)),
            "headers": Key("Headers of requests to the endpoint.", _LABELS, secret=True),
            "cluster_id": Key("Id of the cluster.", _TEXT),
            "service_name": Key("Name of the service.", _TEXT),
        },
        open_for="OSCAR",
    )
)
_FEDERATION = Section(
    keys={
        "topology": Key("Which services delegate to which.", Choice(("none", "star", "mesh"))),
        "delegation": Key("How a member is chosen.", _DELEGATION),
        "members": Key("Services that jobs are delegated to.", _MEMBERS),
        "group_id": Key("Name of the federation.", _TEXT),
        "rescheduler_threshold": Key("Seconds that a job waits before it is delegated.", _SECONDS),
    },
    open_for="OSCAR",
)
_EXPOSED = {
    "min_scale": "Fewest pods.",
    "max_scale": "Most pods.",
    "cpu_threshold": "CPU use above which pods are added, in percent.",
}
_EXPOSE = Section(
    keys={
        **{
            name: Key(doc, Whole.within(limits.RANGES["expose"][name]), default=limits.EXPOSE_DEFAULTS[name])
            for name, doc in _EXPOSED.items()
        },
        "api_port": Key("Ports of the container.", _PORTS, aliases=("port",)),
        "nodePort": Key("Ports on the cluster's nodes.", _PORTS),
        "set_auth": Key("Whether calls need a password.", Flag(), default=False),
        "auth_type": Key("How the password is asked for.", Choice(("basic", "forward"))),
        "rewrite_target": Key("Whether the service sees the whole path.", Flag()),
        "default_command": Key("Whether the image's own command runs instead of the script.", Flag()),
        "health_path": Key("Path of the health probe.", _TEXT, default=limits.EXPOSE_DEFAULTS["health_path"]),
        "probe_mode": Key("How health is probed.", Choice(("legacy", "direct"))),
    },
    open_for="OSCAR",
    only_if_given=True,
)
_VOLUME = Section(
    keys={
        "name": Key("Name of the volume.", Text(what="a volume name", rules=(_DNS_LABEL,))),
        "size": Key("Size of a new volume.", _MEMORY),
        "mount_path": Key(
            "Path in the container.",
            Text(what="a path", rules=(Rule(r"/.*", "is not an absolute path", "start it with '/'"),)),
            required=True,
        ),
        "lifecycle_policy": Key(
            "What happens to the volume when the service is deleted.", Choice(("delete", "retain"))
        ),
    },
    open_for="OSCAR",
)
_CONNECTION = {
    "endpoint": Key("URL of the cluster.", _TEXT),
    "auth_user": Key("User of the cluster's API.", _TEXT),
    "auth_password": Key("Password of that user.", _TEXT, secret=True),
    "ssl_verify": Key("Whether the cluster's certificate is verified.", Flag(), default=True),
}

SERVICE = Section(
    makes=OscarService,
    rest="definition",
    keys={
        "name": Key(
            "Name of the service.",
            Text(what="a service name", longest=limits.SERVICE_NAME_CHARACTERS, rules=(_DNS_LABEL,)),
            required=True,
        ),
        "image": Key(
            "Image in a registry.",
            Text(
                what="an image reference",
                longest=1024,
                rules=(Rule(r"\S+", "is not an image reference", "write registry/name:tag"),),
            ),
        ),
        "image_file": Key(
            "Image as an archive or a directory, for local stacks; other stacks use `image`.",
            replace(FILE, rules=(), optional=True),
        ),
        "script": Key(
            "Script that runs for each event: a file, or the script itself as block text.",
            replace(SCRIPT, rules=()),
        ),
        "memory": Key("Memory of the service's container.", _MEMORY, default=limits.DEFAULT_MEMORY),
        "cpu": Key("CPU of the service's container.", _CPU, default=limits.DEFAULT_CPU),
        "total_memory": Key("Memory of all jobs of the service together.", _MEMORY),
        "total_cpu": Key("CPU of all jobs of the service together.", _CPU),
        "ephemeral_storage_request": Key("Disk of a job.", _MEMORY),
        "enable_gpu": Key("Whether a job gets a GPU.", Flag()),
        "enable_sgx": Key("Whether a job gets SGX.", Flag()),
        "image_prefetch": Key("Whether the nodes pull the image beforehand.", Flag()),
        "alpine": Key("Whether the image is based on Alpine.", Flag()),
        "file_stage_in": Key("Whether input files stay where they are, for the script to fetch.", Flag()),
        "propagate_token": Key("Whether the caller's token is passed on to the service.", Flag()),
        "log_level": Key("Level of the supervisor's log lines.", Choice(_LOG_LEVELS, fold=True), default="INFO"),
        "input": storage_list("Places whose new files start the service.", on_cluster=True),
        "output": storage_list("Places where result files go.", on_cluster=True),
        "environment": Key("Variables of the service.", _ENVIRONMENT),
        "synchronous": Key(
            "Pods that answer synchronous calls.",
            Section(
                keys={
                    "min_scale": Key("Fewest pods.", _PODS["min_scale"]),
                    "max_scale": Key("Most pods; 0 is no limit.", _PODS["max_scale"]),
                },
                open_for="OSCAR",
            ),
        ),
        "expose": Key("An HTTP server in the service's container.", _EXPOSE),
        "federation": Key("Services that jobs are delegated to.", _FEDERATION),
        "replicas": Key("Services that jobs are delegated to, before OSCAR 4.1.", _MEMBERS),
        "delegation": Key("How a replica is chosen, before OSCAR 4.1.", _DELEGATION),
        "rescheduler_threshold": Key("Seconds that a job waits before it is delegated.", _SECONDS),
        "mount": Key(
            "Storage that the service sees as a folder.",
            Section(
                keys={"storage_provider": Key("The storage.", _TEXT), "path": Key("The folder.", _TEXT)},
                open_for="OSCAR",
            ),
        ),
        "volume": Key("A persistent volume of the cluster.", _VOLUME),
        "isolation_level": Key("Whether each user gets buckets of their own.", Choice(("SERVICE", "USER"), fold=True)),
        "visibility": Key("Who sees the service.", Choice(("private", "restricted", "public"), fold=True)),
        "kserve": Key("A model that KServe serves.", Anything()),
        "allow_loop": Key("Whether outputs may start the service again.", Flag(), default=False),
        "cluster_id": Key("Id of the cluster.", _TEXT),
        "vo": Key("Virtual organization of its users.", _TEXT),
        "allowed_users": Key("Users of a restricted service.", _WORDS),
        "image_pull_secrets": Key("Kubernetes secrets of private registries.", _WORDS),
        "annotations": Key("Kubernetes annotations of jobs.", _LABELS),
        "labels": Key("Kubernetes labels of jobs.", _LABELS),
        "interlink_node_name": Key("InterLink node that runs the jobs.", _TEXT),
        **_CONNECTION,
        **{
            name: Key("Part of what OSCAR tells of a service.", note=_READ_ONLY)
            for name in ("token", "owner", "namespace", "bucket_list", "volume_status", "deployment")
        },
    },
    at_least_one=("image", "image_file"),
    open_for="OSCAR",
)

_CLUSTER_ID = Text(
    what="a cluster id", rules=(Rule(r"\S+", "is not an id for a cluster", "use letters, digits and '-'"),)
)
OSCAR = Items(Table(names=_CLUSTER_ID, of=SERVICE))

CLUSTERS = Key(
    "OSCAR clusters: id, then where and how they are reached.",
    Table(names=Text(what="a cluster id"), of=Section(keys=_CONNECTION, open_for="OSCAR")),
)
