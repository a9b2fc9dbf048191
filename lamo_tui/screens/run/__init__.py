"""The screen of one run: charts, events, settings, target sweep."""
