"""AWS Batch: where jobs run, and the jobs of functions."""
