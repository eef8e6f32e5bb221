"""Serves dynamic resources, as `pulumi-resource-pulumi-python` does, and ends when the engine does, however it ends."""

import runpy

from scar_pulumi.engine.processes import exit_with_parent

if __name__ == "__main__":
    exit_with_parent()
    runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)
