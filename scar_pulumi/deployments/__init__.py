"""What is deployed, where, and how it is reached."""
