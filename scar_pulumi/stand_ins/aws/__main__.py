"""Started by the Pulumi engine as `pulumi-resource-aws`."""

import os

from scar_foundation.plugin.process import serve, without_proxies

# The endpoint is on loopback: the user's account has no part in it.
_NEUTRAL = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
_UNWANTED = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")


def main() -> None:
    """Serve until the engine ends."""
    without_proxies()
    for name in _UNWANTED:
        os.environ.pop(name, None)
    os.environ.update(_NEUTRAL)
    serve(_provider)


def _provider() -> object:
    from scar_foundation.plugin.provider import Provider  # noqa: PLC0415 - likewise
    from scar_pulumi.stand_ins.aws.lifecycle import PACKAGE  # noqa: PLC0415 - needs the stubs

    return Provider(PACKAGE)


if __name__ == "__main__":
    main()
