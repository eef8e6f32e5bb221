"""One function on one file in its container, without a stack or a cloud."""
