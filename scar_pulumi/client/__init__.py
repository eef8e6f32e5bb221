"""What one does with a deployed stack: call its functions, move files, read logs.

Everything here works from stack outputs and AWS clients alone; it knows neither FDL nor the engine. Import the modules
by name: each brings only what it needs.
"""
