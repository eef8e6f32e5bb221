from tests.world.state_directories import directories

__all__ = ["directories"]
