"""The process of one command, `devcfg` or `python -m devcfg.runtime`. Never knows a verb."""

import gc
from typing import NoReturn

# Next to nothing of what imports and a compile make is garbage before the process ends. To look for it every 700
# values, which is Python's default, and three times more on the way out took a tenth of every command.
gc.set_threshold(100_000)


def run() -> NoReturn:
    """Run the command line and leave with its exit code."""
    from devcfg.runtime.cli import main

    try:
        main()
    finally:
        gc.freeze()


if __name__ == "__main__":
    run()
