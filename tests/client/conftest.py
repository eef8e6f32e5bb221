from tests.world.ministack import bucket, clients, logs, s3

__all__ = ["bucket", "clients", "logs", "s3"]
