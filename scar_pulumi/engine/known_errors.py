"""What the engine, AWS and Kubernetes say when something fails, in plain words with the way out.

Each entry has the page that states it. The original message follows the explanation, as people search for it.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

_AWS = "https://docs.aws.amazon.com/"
_PULUMI = "https://www.pulumi.com/docs/"
_KUBERNETES = "https://kubernetes.io/docs/"


class KnownError(NamedTuple):
    """A failure: how it is recognized, what it means, what to do, and the page about it.

    `{name}` in the words stands for the group of the pattern.
    """

    pattern: str
    means: str
    way_out: str
    page: str


_OF_AWS = (
    KnownError(
        r"not authorized to perform: (?P<action>[\w:*-]+)(?: on resource: (?P<resource>[^\s,]+))?",
        "these credentials may not do {action}",
        "have it allowed for them, or use others (AWS_PROFILE, aws:profile)",
        _AWS + "IAM/latest/UserGuide/troubleshoot_access-denied.html",
    ),
    KnownError(
        r"ExpiredToken|token included in the request is expired",
        "the AWS credentials have expired",
        "sign in again (`aws sso login`), then run the same command",
        _AWS + "STS/latest/APIReference/CommonErrors.html",
    ),
    KnownError(
        r"InvalidClientTokenId|UnrecognizedClientException|security token included in the request is invalid",
        "AWS does not know these credentials",
        "check AWS_PROFILE and the keys; `scar-pulumi doctor --stack STACK` shows whose they are",
        _AWS + "STS/latest/APIReference/CommonErrors.html",
    ),
    KnownError(
        r"No valid credential sources|NoCredentialProviders|failed to refresh cached credentials|"
        r"Unable to locate credentials",
        "there are no AWS credentials",
        "`aws configure` or AWS_PROFILE provides them",
        _AWS + "cli/latest/userguide/cli-configure-files.html",
    ),
    KnownError(
        r"RequestTimeTooSkewed|Signature (?:expired|not yet current)|RequestExpired",
        "this machine's clock differs from AWS's by more than 5 minutes",
        "set the clock",
        _AWS + "IAM/latest/UserGuide/reference_sigv-troubleshooting.html",
    ),
    KnownError(
        r"ResourceConflictException.*Function already exist",
        "the account has a function of this name in this region, which this stack did not make",
        "choose another name, give the stack its own (--config scar:uniqueNames=true), or delete that function",
        _AWS + "lambda/latest/api/API_CreateFunction.html",
    ),
    KnownError(
        r"BucketAlreadyExists\b",
        "a bucket of this name belongs to another account",
        "choose another name: bucket names are unique in the world",
        _AWS + "AmazonS3/latest/userguide/bucketnamingrules.html",
    ),
    KnownError(
        r"EntityAlreadyExists",
        "the account has a role, policy or instance profile of this name, which this stack did not make",
        "delete it if nothing uses it, or choose another name",
        _AWS + "IAM/latest/APIReference/API_CreateRole.html",
    ),
    KnownError(
        r"role defined for the function cannot be assumed by Lambda",
        "Lambda may not assume the function's role",
        "allow lambda.amazonaws.com in the role's trust policy; a role made a moment ago needs another try",
        _AWS + "lambda/latest/dg/lambda-intro-execution-role.html",
    ),
    KnownError(
        r"Lambda does not have permission to access the ECR image",
        "Lambda may not read the function's image",
        "keep the image in ECR of the function's own region, with a repository policy if it is another account's",
        _AWS + "lambda/latest/dg/images-create.html",
    ),
    KnownError(
        r"[Uu]nreserved(?:Account)?ConcurrentExecutions? below its minimum",
        "so many reserved calls would leave Lambda too few for all other functions",
        "reserve fewer, or ask for a higher quota (Service Quotas, Lambda, Concurrent executions)",
        _AWS + "lambda/latest/dg/configuration-concurrency.html",
    ),
    KnownError(
        r"Unable to validate the following destination configurations",
        "S3 may not start one of the functions that the bucket notifies",
        "keep bucket and function in one region; an entry of others for a function that is gone has to be removed",
        _AWS + "AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html",
    ),
    KnownError(
        r"Configuration is ambiguously defined",
        "two functions would be started for the same file, which S3 does not accept",
        "give each its own folder, side by side, or its own suffix",
        _AWS + "AmazonS3/latest/userguide/notification-how-to-filtering.html",
    ),
    KnownError(
        r"TooManyBuckets|ServiceQuotaExceeded|[A-Za-z]*LimitExceeded(?:Exception|Fault)?\b|VcpuLimitExceeded",
        "the account has reached a quota",
        "delete what is not needed, or ask for more in Service Quotas",
        _AWS + "general/latest/gr/aws_service_limits.html",
    ),
    KnownError(
        r"\bThrottl(?:ed|ing)|TooManyRequests|Rate exceeded|SlowDown",
        "AWS asks to slow down",
        "run the same command again; it goes on from here",
        _AWS + "general/latest/gr/api-retries.html",
    ),
    KnownError(
        r"OptInRequired|is not enabled for (?:this|your) account|InvalidRegion|not a valid region",
        "the region is not usable in this account",
        "check its name (aws:region, AWS_REGION), or enable it for the account",
        _AWS + "accounts/latest/reference/manage-acct-regions.html",
    ),
    KnownError(
        r"found existing JobQueue relationship|Cannot delete, resource is being modified",
        "AWS Batch has not let go of the environment yet",
        "wait a minute, then run the same command again",
        _AWS + "batch/latest/APIReference/API_DeleteComputeEnvironment.html",
    ),
)
_OF_KUBERNETES = (
    KnownError(
        r"configured Kubernetes cluster is unreachable|Unable to connect to the server|"
        r"connection to the server \S+ was refused",
        "the Kubernetes cluster cannot be reached",
        "check KUBECONFIG and its context (`kubectl get nodes`)",
        _KUBERNETES + "concepts/configuration/organize-cluster-access-kubeconfig/",
    ),
    KnownError(
        r'is forbidden: User "(?P<user>[^"]+)" cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)"',
        "the cluster does not let {user} {verb} {resource}",
        "have a role with it bound to that user",
        _KUBERNETES + "reference/access-authn-authz/rbac/",
    ),
    KnownError(
        r"must be logged in to the server",
        "the cluster does not know this user",
        "sign in again, or check the user of the kubeconfig's context",
        _KUBERNETES + "reference/access-authn-authz/authentication/",
    ),
    KnownError(
        r"ImagePullBackOff|ErrImagePull",
        "the cluster cannot pull an image",
        "check its name, and that the cluster's nodes may read its registry",
        _KUBERNETES + "concepts/containers/images/#imagepullbackoff",
    ),
    KnownError(
        r"exceeded quota",
        "the namespace has reached its quota",
        "ask for less, or have the quota raised (`kubectl describe quota`)",
        _KUBERNETES + "concepts/policy/resource-quotas/",
    ),
    KnownError(
        r'no matches for kind "(?P<kind>\w+)"',
        "the cluster does not know objects of kind {kind}",
        "install what defines them first",
        _KUBERNETES + "concepts/extend-kubernetes/api-extension/custom-resources/",
    ),
    KnownError(
        r"Insufficient (?P<what>cpu|memory|nvidia\.com/gpu)",
        "no node of the cluster has enough {what} left",
        "ask for less, or add a node",
        _KUBERNETES + "concepts/scheduling-eviction/kube-scheduler/",
    ),
)
_OF_PULUMI = (
    KnownError(
        r"stack is currently locked by|Another update is currently in progress",
        "another operation works on this stack, or one was killed",
        "wait for it; if none runs, `pulumi cancel` releases the stack",
        _PULUMI + "iac/cli/commands/pulumi_cancel/",
    ),
    KnownError(
        r"incorrect passphrase|passphrase must be set|decrypting secret value|constructing secrets manager",
        "the stack's secrets cannot be read with this passphrase or key",
        "set PULUMI_CONFIG_PASSPHRASE (or _FILE) to the one that the stack was made with",
        _PULUMI + "iac/concepts/secrets/",
    ),
    KnownError(
        r"PULUMI_ACCESS_TOKEN must be set|not logged in|invalid access token",
        "nobody is signed in to the Pulumi backend",
        "run `pulumi login`",
        _PULUMI + "iac/cli/commands/pulumi_login/",
    ),
    KnownError(
        r"pending operations from previous deployment|interrupted while (?:creating|updating|deleting)",
        "an earlier operation was killed in the middle",
        "`scar-pulumi refresh` asks the cloud how it ended",
        _PULUMI + "support/troubleshooting/common-issues/interrupted-updates/",
    ),
    KnownError(
        r"no resource plugin '(?P<plugin>[\w-]+)' found",
        "the engine has no plugin {plugin}, and could not download it",
        "check the network, or install it with `pulumi plugin install`",
        _PULUMI + "iac/concepts/plugins/",
    ),
    KnownError(
        r"cannot be deleted\s+because it is protected|resource \S+ cannot be deleted",
        "a resource is protected from deletion",
        "`pulumi state unprotect URN` lifts that",
        _PULUMI + "iac/concepts/options/protect/",
    ),
)
KNOWN_ERRORS = (*_OF_PULUMI, *_OF_KUBERNETES, *_OF_AWS)
"""In the order in which they are looked for: what AWS says is the least specific."""
_COMPILED: Mapping[KnownError, re.Pattern[str]] = {one: re.compile(one.pattern, re.DOTALL) for one in KNOWN_ERRORS}


def explained(message: str) -> str:
    """Return a message with its explanation and the way out before it; one that is not known stays as it is."""
    for known, pattern in _COMPILED.items():
        if found := pattern.search(message):
            return f"{known.means.format(**found.groupdict())}; {known.way_out} ({known.page})\n{message}"
    return message
