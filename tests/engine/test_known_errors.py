"""Failures that are known are told in plain words, with the way out and the original."""

import re

import pytest

from scar_pulumi.engine.known_errors import KNOWN_ERRORS, explained

# As the services and the engine word them.
EXAMPLES = [
    (
        "AccessDenied: User: me is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::1:role/r",
        "these credentials may not do iam:CreateRole; have it allowed",
    ),
    ("api error ExpiredToken: The security token included in the request is expired", "have expired; sign in again"),
    ("api error InvalidClientTokenId: The security token included in the request is invalid.", "does not know these"),
    ("No valid credential sources found. Please see https://…", "there are no AWS credentials; `aws configure`"),
    ("api error RequestTimeTooSkewed: The difference between the request time and the current time", "set the clock"),
    (
        "api error ResourceConflictException: Function already exist: thumbnails",
        "which this stack did not make; choose another name, give the stack its own",
    ),
    ("BucketAlreadyExists: The requested bucket name is not available.", "belongs to another account"),
    ("EntityAlreadyExists: Role with name x already exists.", "has a role, policy or instance profile of this name"),
    ("The role defined for the function cannot be assumed by Lambda.", "Lambda may not assume the function's role"),
    (
        "Lambda does not have permission to access the ECR image. Check the ECR permissions.",
        "may not read the function",
    ),
    (
        "Specified ReservedConcurrentExecutions decreases account's UnreservedConcurrentExecution below its minimum",
        "too few for all other functions",
    ),
    ("InvalidArgument: Unable to validate the following destination configurations", "keep bucket and function in one"),
    ("InvalidArgument: Configuration is ambiguously defined. Cannot have overlapping suffixes", "its own folder"),
    ("TooManyBuckets: You have attempted to create more buckets than allowed", "the account has reached a quota"),
    ("api error LimitExceededException: Cannot exceed quota for PolicySize", "the account has reached a quota"),
    ("api error ThrottlingException: Rate exceeded", "AWS asks to slow down; run the same command again"),
    ("api error OptInRequired: The AWS Access Key Id needs a subscription", "the region is not usable"),
    ("ClientException: Cannot delete, found existing JobQueue relationship", "has not let go of the environment yet"),
    ("configured Kubernetes cluster is unreachable: unable to load schema", "check KUBECONFIG and its context"),
    (
        'namespaces is forbidden: User "ann" cannot create resource "namespaces" in API group "" at the cluster scope',
        "the cluster does not let ann create namespaces; have a role",
    ),
    ("error: You must be logged in to the server (Unauthorized)", "the cluster does not know this user"),
    ("pod oscar-1: container oscar: ImagePullBackOff: Back-off pulling image", "cannot pull an image; check its name"),
    ('pods "x" is forbidden: exceeded quota: compute, requested: cpu=2', "the namespace has reached its quota"),
    ('no matches for kind "HTTPRoute" in version "gateway.networking.k8s.io/v1"', "objects of kind HTTPRoute; install"),
    ("0/3 nodes are available: 3 Insufficient memory.", "no node of the cluster has enough memory left"),
    ("the stack is currently locked by 1 lock(s). Either wait for the other process", "`pulumi cancel` releases"),
    ("failed to decrypt configuration: incorrect passphrase", "set PULUMI_CONFIG_PASSPHRASE"),
    ("PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions", "run `pulumi login`"),
    (
        "the current deployment has 1 resource(s) with pending operations from previous deployment",
        "scar-pulumi refresh",
    ),
    ("no resource plugin 'pulumi-resource-random' found in the workspace", "no plugin pulumi-resource-random"),
    ("resource urn:x cannot be deleted\nbecause it is protected.", "`pulumi state unprotect URN`"),
]


@pytest.mark.parametrize(("message", "said"), EXAMPLES)
def test_a_known_failure_is_explained_and_the_original_follows(message: str, said: str) -> None:
    explanation, _, original = explained(message).partition("\n")
    assert said in explanation
    assert original == message
    assert re.search(r" \(https://\S+\)$", explanation)


def test_every_entry_has_an_example_of_its_own() -> None:
    found = {next(one for one in KNOWN_ERRORS if re.search(one.pattern, message, re.DOTALL)) for message, _ in EXAMPLES}
    assert found == set(KNOWN_ERRORS)


@pytest.mark.parametrize(
    "message",
    ["", "bucket x: exists but cannot be used", "video.yaml:3:5 functions.aws[0]: 64 is below Lambda's minimum of 128"],
)
def test_what_is_not_known_stays_as_it_is(message: str) -> None:
    assert explained(message) == message
