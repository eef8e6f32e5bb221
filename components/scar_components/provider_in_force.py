"""What the providers of dynamic resources share: AWS as the stack configures it, and what the stack says of buckets."""

import json
import os
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import pulumi
from pulumi.dynamic import ConfigureRequest, ResourceProvider

from scar_foundation.aws_session import REFUSED, SETTINGS, AwsSession, configured_session


class StatelessProvider(ResourceProvider):
    """A dynamic provider without data of its own.

    It is serialised by reference to its class, which must be importable: new code does not change the state.
    """

    # If the provider were serialised as a secret, every diff of its resources would be hidden.
    serialize_as_secret_always = False


class AwsResourceProvider(StatelessProvider):
    """A dynamic provider with an AWS session."""

    session: AwsSession
    """Clients of the stack's own configuration; set by `configure`, which the engine calls first."""

    delete_buckets: bool
    """The stack's `scar:deleteBuckets`; see `deletes_buckets`."""

    def configure(self, req: ConfigureRequest) -> None:
        """Open an AWS session with the stack's configuration, which is not stored in the state."""
        self.session = configured_session(req.config.get)
        self.delete_buckets = deletes_buckets(req)

    def session_of(self, props: Mapping[str, Any]) -> AwsSession:
        """Return the session of a resource: that of its explicit provider, or else the stack's."""
        explicit = props.get("aws")
        return configured_session(_full_keys(explicit).get) if explicit else self.session


def deletes_buckets(req: ConfigureRequest) -> bool:
    """Whether the stack deletes buckets.

    The engine passes the configuration as of the last `up`, also when it destroys. `SCAR_DELETE_BUCKETS` in the
    environment overrides it: `scar-pulumi destroy` sets it to what the configuration says now.
    """
    configured = os.environ.get("SCAR_DELETE_BUCKETS") or req.config.get("scar:deleteBuckets")
    return (configured or "").lower() == "true"


class ProviderInForce:
    """The aws provider that the children of a component use: one that the program made, or else the default one."""

    def __init__(self, opts: pulumi.ResourceOptions | None) -> None:
        self._parent = opts.parent if opts else None
        self._provider = _explicit_provider(opts)

    @property
    def region(self) -> pulumi.Output[str]:
        """The provider's region."""
        import pulumi_aws as aws  # noqa: PLC0415 - takes a second, and provider processes do not need it

        opts = pulumi.InvokeOutputOptions(parent=self._parent, provider=self._provider)
        return aws.get_region_output(opts=opts).region

    @property
    def settings(self) -> pulumi.Output[dict[str, Any]] | None:
        """What an AWS session takes from an explicit provider; None for the default one, which the stack configures."""
        if self._provider is None:
            return None
        names = (*SETTINGS, *REFUSED)
        return self._inputs.apply(lambda inputs: {key: inputs[key] for key in names if inputs.get(key)})

    def tags(self, given: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None) -> pulumi.Output[dict[str, str]]:
        """Return a resource's tags with the provider's default tags, and without those that the provider ignores."""
        return pulumi.Output.all(self._tag_rules, given).apply(lambda values: effective_tags(*values))

    @property
    def _tag_rules(self) -> pulumi.Output[Mapping[str, Any]]:
        if self._provider is None:
            configuration = pulumi.Config("aws")
            return pulumi.Output.from_input({key: configuration.get(key) for key in _TAG_RULES})
        # Tags are shown in the state; keys of the provider, in the same answer, are secret.
        return pulumi.Output.unsecret(self._inputs.apply(lambda inputs: {key: inputs.get(key) for key in _TAG_RULES}))

    @cached_property
    def _inputs(self) -> pulumi.Output[Mapping[str, Any]]:
        """The explicit provider's inputs. Its Python object has only some, and none if a program of another language
        made it; the engine has them all."""
        assert self._provider is not None
        return self._provider.urn.apply(
            lambda urn: pulumi.runtime.invoke_output("pulumi:pulumi:getResource", {"urn": urn})
        ).apply(lambda found: found["state"])


_TAG_RULES = ("defaultTags", "ignoreTags")


def _explicit_provider(opts: pulumi.ResourceOptions | None) -> pulumi.ProviderResource | None:
    if opts is None:
        return None
    listed = opts.providers or []
    given = [*(listed.values() if isinstance(listed, Mapping) else listed), *([opts.provider] if opts.provider else [])]
    of_aws = [provider for provider in given if provider.package == "aws"]
    return of_aws[-1] if of_aws else (opts.parent.get_provider("aws:index:Bucket") if opts.parent else None)


def _full_keys(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return an explicit provider's settings as the stack's configuration has them: full keys, and JSON for objects."""
    plain = {key: value for key, value in settings.items() if isinstance(value, str) and key not in _OBJECTS}
    objects = {key: json.dumps(_renamed(_decoded(settings[key]))) for key in settings if key not in plain}
    return {f"aws:{key}": text for key, text in (plain | objects).items()}


_OBJECTS = ("assumeRoles", "assumeRoleWithWebIdentity")
"""Settings whose keys are in Python's spelling if the program gave a dictionary."""


def _renamed(value: Any) -> Any:
    if isinstance(value, list):
        return [_renamed(entry) for entry in value]
    if isinstance(value, Mapping):
        return {re.sub(r"_([a-z])", lambda found: found[1].upper(), key): value[key] for key in value}
    return value


def effective_tags(rules: Mapping[str, Any], given: Mapping[str, str] | None) -> dict[str, str]:
    """Return tags with the default ones and without the ignored ones.

    https://www.pulumi.com/registry/packages/aws/api-docs/provider/#providerdefaulttags
    """
    default, ignored = (_decoded(rules.get(key)) or {} for key in _TAG_RULES)
    tags = {**(default.get("tags") or {}), **(given or {})}
    keys, prefixes = ignored.get("keys") or (), ignored.get("keyPrefixes") or ignored.get("key_prefixes") or ()
    return {key: value for key, value in tags.items() if key not in keys and not key.startswith(tuple(prefixes))}


def _decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
