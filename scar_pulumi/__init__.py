"""Container functions on files, declared in FDL and deployed by the Pulumi engine."""
