"""CloudWatch Logs, as far as containers write to it."""
