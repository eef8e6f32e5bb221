"""The stack's program: deploys the FDL file that `scar:fdl` names."""

from scar_pulumi.deploy import deploy

deploy()
