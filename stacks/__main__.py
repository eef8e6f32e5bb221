"""The stack's program: deploys the FDL file that `scar:fdl` names."""

from scar_pulumi.deploy.program import deploy

deploy()
