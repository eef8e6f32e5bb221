"""The command line `scar-pulumi`: it parses and prints; all else is asked of `scar_pulumi.deployments`."""
