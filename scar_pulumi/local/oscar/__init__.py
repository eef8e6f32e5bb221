"""OSCAR clusters as the local cloud has them: the interface of OSCAR 4.1, its MinIO, jobs in the runner's containers.

What clients rely on is as there. What only harms is not: nothing waits for MinIO to start anew, a bucket that exists is
taken as it is, a service that is deleted leaves its buckets and objects where they are, and an update keeps the owner.
"""

from scar_pulumi.local.oscar.clusters import OscarClusters

__all__ = ["OscarClusters"]
