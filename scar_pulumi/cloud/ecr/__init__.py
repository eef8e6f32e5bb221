"""Amazon ECR on this machine: its API, the registry, and the images on disk."""
