"""Widgets drawn line by line: charts, frames of a game, gauges, bars, histograms and matrices."""
