"""AWS Lambda on this machine: its API, its asynchronous events, and the functions that the runner runs."""
