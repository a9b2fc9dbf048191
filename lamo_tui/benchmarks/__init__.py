"""Measurements behind `lamo benchmark`."""
