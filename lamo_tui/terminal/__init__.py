"""Terminal capabilities: colour systems, graphics protocols and ASCII fallbacks."""
