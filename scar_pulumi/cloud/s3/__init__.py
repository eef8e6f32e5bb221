"""What the local cloud adds to MiniStack's S3."""
