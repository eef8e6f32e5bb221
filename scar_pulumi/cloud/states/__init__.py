"""Step Functions: state machines in the Amazon States Language, whose executions survive a kill (docs/adr/0030)."""
