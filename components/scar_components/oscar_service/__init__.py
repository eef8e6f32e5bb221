"""Services on OSCAR clusters, over the REST interface of OSCAR."""
