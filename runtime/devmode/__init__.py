"""Into dev mode and back on a cluster: guard, live binding, lease, one PATCH, rollout, restore. Never syncs a file."""
