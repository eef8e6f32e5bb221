"""OSCAR clusters as the local cloud has them: OSCAR 4.1's interface, a MinIO for each, jobs in the runner's containers.

`server`, `specification`, `refusals` and `routes` are OSCAR's own behaviour, which the tests of the components use,
too. The rest is what stands for Kubernetes and MinIO here.
"""
