"""What an FDL file becomes: one module for each kind of component, each from plain FDL data to declared resources."""
