"""One verb of the command line a file. Never prints by itself, and imports nothing before it is asked to run."""
