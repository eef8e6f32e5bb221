"""A stand-in for the `kubernetes` Pulumi plugin, for machines without the genuine one.

It serves objects of any kind, by server-side apply, under the genuine `pulumi-kubernetes` SDK, and only ever against an
API server on loopback (kind, k3s, minikube, a test's own). The engine starts it as
`python -m scar_pulumi.stand_ins.kubernetes`.
"""
