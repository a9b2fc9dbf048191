"""The Textual application: themes, polling, palette, notifications and actions on runs."""
