"""What both packages stand on: errors, directories, files, loopback, AWS sessions, AWS's limits."""
