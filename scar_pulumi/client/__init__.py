"""What one does with a deployed stack: call its functions, move files, read logs.

Everything here works from stack outputs and AWS clients alone; it knows neither FDL nor the engine. Only `clients`
imports an AWS SDK, so the other modules are cheap to import.
"""
