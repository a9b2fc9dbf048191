"""`python -m lamo_core.player`: see `process`."""

from lamo_core.player.process import main

main()
