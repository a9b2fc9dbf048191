"""Figures for papers and web pages, drawn without a plotting library: SVG as text, PNG with pillow."""
