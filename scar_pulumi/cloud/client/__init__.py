"""The local cloud seen from outside: started, stopped and asked. Nothing of the daemon is imported here."""
