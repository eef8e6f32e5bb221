"""EventBridge: schedules and rules, whose deliveries are on disk before anybody is told of them (docs/adr/0032)."""
