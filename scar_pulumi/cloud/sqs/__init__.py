"""Simple Queue Service: messages that survive a kill."""
