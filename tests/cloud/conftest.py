"""Local clouds whose functions only note that they were called."""

from tests.world.clouds import cloud, fake_daemon, own_cloud

__all__ = ["cloud", "fake_daemon", "own_cloud"]
