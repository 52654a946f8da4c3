"""`python -m lynkr_core.cli`."""

from lynkr_core.cli import main

main()
