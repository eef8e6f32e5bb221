"""The aws provider that a component's children use, and what our own resources have to be given of it.

A provider plugin gets nothing of another package's settings. So the settings of the aws provider in force, whether the
program made it or the stack's `aws:` configuration, are an input of each resource of ours.
"""

import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import pulumi

from scar_foundation.aws_session import REFUSED, SETTINGS, AwsSession, configured_session


class ProviderInForce:
    """The aws provider that the children of a component use: one that the program made, or else the default one."""

    def __init__(self, opts: pulumi.ResourceOptions | None) -> None:
        self._parent = opts.parent if opts else None
        self._provider = _explicit_provider(opts)

    @property
    def is_explicit(self) -> bool:
        """Whether the program made it."""
        return self._provider is not None

    @property
    def region(self) -> pulumi.Output[str]:
        """The provider's region."""
        import pulumi_aws as aws  # noqa: PLC0415 - takes a second, and provider processes do not need it

        opts = pulumi.InvokeOutputOptions(parent=self._parent, provider=self._provider)
        return aws.get_region_output(opts=opts).region

    @property
    def settings(self) -> pulumi.Input[Mapping[str, Any]] | None:
        """What an AWS session takes of the provider, for `session_of`; a secret if there are keys or roles in it."""
        if self._provider is None:
            return _configured_settings()
        return self._inputs.apply(lambda inputs: {key: inputs[key] for key in _FOLLOWED if inputs.get(key)})

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
_FOLLOWED = (*SETTINGS, *REFUSED)
_SECRET = frozenset({"accessKey", "secretKey", "token", "assumeRoles", "assumeRoleWithWebIdentity"})


def _configured_settings() -> pulumi.Input[Mapping[str, Any]] | None:
    """Return the default provider's settings: the stack's configuration. None if the environment decides everything."""
    configuration = pulumi.Config("aws")
    found = {key: value for key in _FOLLOWED if (value := configuration.get(key))}
    if _SECRET & found.keys() or any(pulumi.runtime.is_config_secret(f"aws:{key}") for key in found):
        return pulumi.Output.secret(found)
    return found or None


def _explicit_provider(opts: pulumi.ResourceOptions | None) -> pulumi.ProviderResource | None:
    if opts is None:
        return None
    listed = opts.providers or []
    given = [*(listed.values() if isinstance(listed, Mapping) else listed), *([opts.provider] if opts.provider else [])]
    of_aws = [provider for provider in given if provider.package == "aws"]
    return of_aws[-1] if of_aws else (opts.parent.get_provider("aws:index:Bucket") if opts.parent else None)


def session_of(settings: Mapping[str, Any] | None) -> AwsSession:
    """Return the AWS session of a provider's `settings`. Raises RunError for one that is not supported here."""
    return configured_session(_full_keys(settings or {}).get)


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
