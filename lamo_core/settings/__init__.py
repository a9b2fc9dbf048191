"""Settings: presets, their parts, strict reading, documentation, and which have no effect."""
