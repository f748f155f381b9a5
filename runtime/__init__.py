"""The only room that touches disk, cluster, clock and processes. Never decides what dev mode is."""
