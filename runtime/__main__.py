"""`python -m devcfg.runtime`: the command line. Never holds anything else."""

from devcfg.runtime.cli import main

main()
