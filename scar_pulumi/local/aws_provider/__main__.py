"""Started by the Pulumi engine as `pulumi-resource-aws`."""

from scar_pulumi.local.aws_provider._process import main

if __name__ == "__main__":
    main()
