"""OSCAR on a Kubernetes cluster: the component and the manifests of its parts."""
