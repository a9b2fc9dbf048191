"""The log of a run: narration of events and severity of lines."""
