"""MiniStack, which serves the AWS APIs, and all that works around it."""
