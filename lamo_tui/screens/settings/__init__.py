"""The settings screen: themes, characters and keys."""
