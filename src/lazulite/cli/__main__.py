"""`python -m lazulite.cli`."""

from lazulite.cli.main import main

main()
