"""`Deployments`: the deployed stacks of one name, what is in them, and clients to reach it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scar_foundation.directories import DEFAULT_STACK
from scar_foundation.errors import InputError
from scar_pulumi import cloud
from scar_pulumi.client.cloud_errors import about
from scar_pulumi.client.objects import Location
from scar_pulumi.client.outputs import (
    DeployedBucket,
    DeployedFunction,
    DeployedMapReduce,
    DeployedService,
    StackOutputs,
    unknown_function,
)
from scar_pulumi.deployments.kept_buckets import own_buckets
from scar_pulumi.deployments.stacks import (
    DeployedStack,
    account_of,
    deployed_stacks,
    no_such_stack,
    project_of_file,
)

if TYPE_CHECKING:
    from scar_pulumi.client.clients import Clients
    from scar_pulumi.client.oscar import ClusterClient


@dataclass(frozen=True)
class Deployments:
    """The deployed stacks of one name, what is in them, and clients to reach it.

    Nothing is read, and the local cloud is not started, before something needs it. `progress` gets a line about
    whatever may take long.
    """

    stack: str = DEFAULT_STACK
    project: str | None = None
    progress: Callable[[str], None] = field(default=lambda _line: None, repr=False)

    @classmethod
    def find(
        cls,
        stack: str = DEFAULT_STACK,
        *,
        project: str | None = None,
        fdl: Path | None = None,
        progress: Callable[[str], None] = lambda _line: None,
    ) -> "Deployments":
        """Find the stacks of a name: of one project, of an FDL file's project, or of all that this machine knows.

        Raises:
            InputError: There is no such FDL file.
        """
        return cls(stack, project_of_file(fdl) if fdl else project or None, progress)

    @property
    def is_local(self) -> bool:
        """Whether the stacks live on this machine's local cloud."""
        return cloud.is_local_stack(self.stack)

    @cached_property
    def stacks(self) -> tuple[DeployedStack, ...]:
        """The stacks.

        Raises:
            ScarError: The given project has no such stack.
        """
        found = tuple(deployed_stacks(self.stack, self.project))
        if self.project is not None and not found:
            raise no_such_stack(self.stack, self.project)
        return found

    @cached_property
    def clients(self) -> "Clients":
        """Clients for the stacks' cloud; the local cloud is started if it does not run."""
        from scar_pulumi.client.clients import Clients  # noqa: PLC0415 - brings the AWS SDK

        if not self.is_local:
            return Clients(session=account_of(self.stack))
        local = cloud.LocalCloud()
        local.start(self.progress)
        return Clients(local.environment())

    def function(self, name: str) -> DeployedFunction:
        """Return a function by its name.

        Raises:
            InputError: No stack has it, several have it, or it is a service.
            ScarError: Nothing is deployed.
        """
        found = self.called(name)
        if isinstance(found, DeployedService):
            raise InputError(f"{name}: is a service on the OSCAR cluster {found.cluster}, not a function")
        return found

    def called(self, name: str) -> DeployedFunction | DeployedService:
        """Return a function, or a service on an OSCAR cluster, by `NAME` or `CLUSTER/NAME`.

        The project of the current directory comes first. Where the stack has names of its own (`scar:uniqueNames`), the
        name in the file does, too.

        Raises:
            InputError: No stack has it, or several have it.
            ScarError: Nothing is deployed.
        """
        if not self.stacks:
            raise no_such_stack(self.stack)
        if not any(stack.called(name) for stack in self.stacks):
            name = next((one for one in self._unique(name) if any(stack.called(one) for stack in self.stacks)), name)
        holders = {stack.project: stack.called(name) for stack in self.stacks if stack.called(name)}
        near = {stack.project: holders[stack.project] for stack in self.stacks if stack.is_near and stack.called(name)}
        return self._only_one(name, near or holders)

    def _unique(self, name: str) -> tuple[str, str]:
        """Return how a function and a service of this name are called in stacks with names of their own."""
        ending = self.stack.rpartition("/")[2]
        return f"{name}-{ending}", f"{name}-{ending.lower()}"

    def _only_one(
        self, name: str, holders: Mapping[str, list[DeployedFunction | DeployedService]]
    ) -> DeployedFunction | DeployedService:
        if not holders:
            known = {found.name: None for stack in self.stacks for found in stack.called()}
            raise InputError(unknown_function(name, known))
        if len(holders) > 1:
            projects = ", ".join(holders)
            raise InputError(f"{name}: several projects have such a function ({projects}); choose with --project NAME")
        (found,) = holders.values()
        if len(found) > 1:
            names = ", ".join(f"{one.cluster}/{name}" for one in found if isinstance(one, DeployedService))
            raise InputError(f"{name}: several clusters have such a service; write {names}")
        return found[0]

    def has_function(self, name: str) -> bool:
        """Return whether one of the stacks has a function of this name."""
        return any(name in stack.outputs.functions for stack in self.stacks)

    def has_mapreduce(self, name: str) -> bool:
        """Return whether one of the stacks has a MapReduce of this name."""
        return any(name in stack.outputs.mapreduces for stack in self.stacks)

    def mapreduce(self, name: str) -> DeployedMapReduce:
        """Return a MapReduce by its name; that of the project of the current directory comes first.

        Raises:
            InputError: No stack has it, or several have it.
            ScarError: Nothing is deployed.
        """
        if not self.stacks:
            raise no_such_stack(self.stack)
        holders = [stack for stack in self.stacks if name in stack.outputs.mapreduces]
        holders = [stack for stack in holders if stack.is_near] or holders
        if not holders:
            known = {found: None for stack in self.stacks for found in stack.outputs.mapreduces}
            raise InputError(unknown_function(name, known).replace("function", "MapReduce"))
        if len(holders) > 1:
            projects = ", ".join(stack.project for stack in holders)
            raise InputError(f"{name}: several projects have such a MapReduce ({projects}); choose with --project NAME")
        return holders[0].outputs.mapreduces[name]

    def cluster(self, service: DeployedService) -> "ClusterClient":
        """Return a client of the OSCAR cluster that a service runs on."""
        from scar_pulumi.deployments.clusters import open_cluster  # noqa: PLC0415 - functions need no cluster

        stack = next(stack for stack in self.stacks if service in stack.outputs.services())
        return open_cluster(stack, service.cluster, self.clients, self.progress)

    def storage(self, location: Location) -> Any:
        """Return an S3 client for a location: of the account, or of the storage provider that it names.

        Raises:
            InputError: The provider is unknown, or has no S3 interface.
        """
        kind = location.provider.partition(".")[0]
        if not kind or (kind == "s3" and self.is_local):
            return self.clients.client("s3")
        from scar_pulumi.deployments.clusters import storage_settings  # noqa: PLC0415 - buckets of S3 need no cluster

        clients = self.clients
        stacks = deployed_stacks(self.stack)
        return clients.storage(storage_settings(location, stacks, clients, self.progress, is_local=self.is_local))

    def upload_warnings(self, location: Location, keys: Sequence[str]) -> Iterator[str]:
        """Yield what the sender of these objects should know before they are sent: see `client.watching`."""
        from scar_pulumi.client.watching import upload_warnings  # noqa: PLC0415 - only uploads need it

        def ask(arn: str) -> Mapping[str, Any]:
            region = arn.split(":")[3] or None
            found: Mapping[str, Any] = self.clients.client("lambda", region).get_function_configuration(
                FunctionName=arn
            )
            return found

        return upload_warnings(self.storage(location), ask, location.bucket, keys)

    def stack_using(self, location: Location) -> DeployedStack | None:
        """Return a deployed stack that uses the bucket of a location; None when none does."""
        stacks = deployed_stacks(self.stack)
        return next((stack for stack in stacks if location.bucket in _buckets_used(stack.outputs, location)), None)

    def unclaimed_buckets(self) -> list[str]:
        """Return the buckets of the local cloud that no stack declares: destroyed stacks leave them."""
        if not self.is_local:
            return []
        known = {bucket.name for stack in self.stacks for bucket in stack.outputs.buckets}
        known |= {one.work_bucket for stack in self.stacks for one in stack.outputs.mapreduces.values()}
        with about("buckets"):
            buckets = self.clients.client("s3").list_buckets()["Buckets"]
        return sorted({bucket["Name"] for bucket in buckets} - known)

    def remaining_buckets(self, outputs: StackOutputs) -> list[DeployedBucket]:
        """Return which buckets of a destroyed stack still exist, given its last outputs.

        The storage of OSCAR clusters elsewhere than on the local cloud cannot be examined.
        """
        found = [one for one in outputs.buckets if _exists(self.clients.client("s3"), one.name)]
        for cluster in outputs.clusters.values() if self.is_local else ():
            from scar_pulumi.deployments.clusters import local_storage  # noqa: PLC0415 - as above

            minio = self.clients.storage(local_storage(cluster.name))
            names = [name for name in own_buckets(cluster) if _exists(minio, name)]
            found += [DeployedBucket(f"minio.{cluster.name}/{name}", True) for name in names]
        return found


def _buckets_used(outputs: StackOutputs, location: Location) -> set[str]:
    if not location.provider:
        return {bucket.name for bucket in outputs.buckets}
    kind, _, identifier = location.provider.partition(".")
    return {
        path.path.partition("/")[0]
        for service in outputs.services()
        for path in (*service.inputs, *service.outputs)
        if path.provider.partition(".")[0] == kind
        and (identifier not in outputs.clusters or identifier in _owners(service, path.provider))
    }


def _owners(service: DeployedService, provider: str) -> set[str]:
    """Return the clusters whose MinIO a service may mean; a name that is no cluster's may be any."""
    identifier = provider.partition(".")[2]
    return {service.cluster} if identifier in ("default", "") else {identifier, service.cluster}


def _exists(s3: Any, bucket: str) -> bool:
    import botocore.exceptions  # noqa: PLC0415 - help needs no AWS SDK

    try:
        s3.head_bucket(Bucket=bucket)
    except botocore.exceptions.ClientError as error:
        return bool(error.response["Error"]["Code"] != "404")
    except botocore.exceptions.BotoCoreError:
        return True  # unknown: a superfluous hint is better than a missing one
    return True
