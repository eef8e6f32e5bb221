"""Started by the Pulumi engine as `pulumi-resource-kubernetes`."""

from scar_pulumi.stand_ins.plugin.process import serve, without_proxies


def main() -> None:
    """Serve until the engine ends."""
    without_proxies()
    serve(_provider)


def _provider() -> object:
    from scar_pulumi.stand_ins.kubernetes.lifecycle import PACKAGE  # noqa: PLC0415 - needs the stubs
    from scar_pulumi.stand_ins.plugin.provider import Provider  # noqa: PLC0415 - likewise

    return Provider(PACKAGE)


if __name__ == "__main__":
    main()
