"""Images: reading, planning and pushing them, with real files and real registries."""
