"""The parts of the bundle builder: what the interpreter needs, how it is compiled, how the layer is written."""
