"""Keeps the local side and the far side of each sync rule equal. Never starts or stops a process."""
