"""Provider plugins that stand in for the genuine ones on local stacks."""
