from tests.world.ministack import bucket, clients, logs, s3
from tests.world.state_directories import directories

__all__ = ["bucket", "clients", "directories", "logs", "s3"]
