"""MapReduce over the records of a file: its arguments, state machine, rights and the component."""
