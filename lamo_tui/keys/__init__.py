"""Key bindings: the table of keys, their names and remapping."""
