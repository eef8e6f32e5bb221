"""What is checked wherever a stack is operated on: the keys of its namespace `scar`, and the file against the stack.

The engine checks only keys of the project's own namespace: without this, a mistyped one of ours would do nothing.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from scar_foundation.errors import InputError
from scar_pulumi.cloud import is_local_stack
from scar_pulumi.deploy.quotas import Surroundings, beyond_quotas
from scar_pulumi.fdl import Fdl, Problem

UNIQUE_NAMES = "uniqueNames"
"""Gives functions and buckets names of the stack's own; an output of that name says that a stack has them."""
_SWITCHES = ("deleteBuckets", UNIQUE_NAMES)
KEYS = ("clusters", "fdl", "overrides", *_SWITCHES)
_CLUSTER_KEYS = ("adopt", "auth_password", "auth_user", "deploy", "endpoint", "ssl_verify")
_BOOLEANS = (True, False, "true", "false")


def check_configuration(stack: str, config: Mapping[str, Any]) -> None:
    """Check configuration by full key, such as `scar:fdl`. Raises InputError for an unknown key or a wrong value."""
    for key in config:
        namespace, _, name = key.partition(":")
        if namespace == "scar" and name not in KEYS:
            raise InputError(
                f"stack {stack}: configuration key {key} is unknown; use scar:{', scar:'.join(sorted(KEYS))}"
            )
    for switch in _SWITCHES:
        value = config.get(f"scar:{switch}", False)
        if value not in _BOOLEANS:
            raise InputError(f"stack {stack}: scar:{switch} is {value!r}; write true or false")


def check_clusters(stack: str, clusters: Any) -> None:
    """Check the value of `scar:clusters`: by id, how a cluster is reached, or what is deployed as one."""
    if not isinstance(clusters, Mapping) or not all(isinstance(one, Mapping) for one in clusters.values()):
        raise InputError(f"stack {stack}: scar:clusters is not a map of cluster ids to maps; write {{my_oscar: {{…}}}}")
    for name, settings in clusters.items():
        where = f"stack {stack}: scar:clusters.{name}"
        if unknown := sorted(set(settings) - set(_CLUSTER_KEYS)):
            raise InputError(f"{where}: {', '.join(unknown)} is unknown; use {', '.join(_CLUSTER_KEYS)}")
        if "deploy" in settings and (
            set(settings) - {"deploy", "adopt"} or not isinstance(settings["deploy"], Mapping)
        ):
            raise InputError(f"{where}: 'deploy' is a map of an OscarCluster's arguments, and no endpoint goes with it")


def undeployable(fdl: Fdl, around: Surroundings) -> tuple[Problem, ...]:
    """Return everything in the file that cannot be deployed to a stack; empty if all of it can."""
    elsewhere = () if is_local_stack(around.stack) else fdl.elsewhere
    return (*(replace(problem, severity="error") for problem in elsewhere), *beyond_quotas(fdl, around))
