"""What makes a container into a function: takes events, runs the user's program on them, stores what it made."""
