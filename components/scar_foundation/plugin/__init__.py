"""What every Pulumi provider plugin of ours stands on: its process, the engine's protocol, its errors.

`pulumi-resource-scar` and the stand-ins for other plugins are served by it.
"""
