"""Started by the Pulumi engine as `pulumi-resource-kubernetes`."""

from scar_foundation.plugin.process import serve, without_proxies


def main() -> None:
    """Serve until the engine ends."""
    without_proxies()
    serve(_provider)


def _provider() -> object:
    from scar_foundation.plugin.provider import Provider  # noqa: PLC0415 - likewise
    from scar_pulumi.stand_ins.kubernetes.lifecycle import PACKAGE  # noqa: PLC0415 - needs the stubs

    return Provider(PACKAGE)


if __name__ == "__main__":
    main()
