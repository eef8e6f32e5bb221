"""AWS Batch behind functions: where jobs run, what a job is, and who may start it."""
