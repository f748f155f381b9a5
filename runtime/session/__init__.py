"""The life of one `devcfg up`: its services, what they run, and the way for other commands to reach it. Never syncs."""
