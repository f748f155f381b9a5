"""The agent: the far side of sync, in plain Python 3.8. Never imports what the standard library does not have."""
