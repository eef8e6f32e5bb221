"""OSCAR clusters as the local cloud has them: the interface of OSCAR 4.1, its MinIO, jobs in the runner's containers.

What clients rely on is as there, also that the buckets made for a service are deleted with it. What only harms is not:
nothing waits for MinIO to start anew, a bucket that exists is taken as it is and outlives the service, as does one that
another service has, too, and an update keeps the owner.
"""
