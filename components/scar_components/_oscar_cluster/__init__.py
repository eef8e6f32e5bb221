"""The Kubernetes objects of an OSCAR cluster: plain manifests, one module for each part."""
