"""`python -m lamo_tui`: the `lamo` command."""

from __future__ import annotations

from lamo_tui.cli.app import main

if __name__ == "__main__":
    main()
