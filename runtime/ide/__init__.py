"""What editors read to attach to a service: entries, and how they get into files that have an owner. Never runs one."""
