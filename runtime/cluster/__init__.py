"""The cluster: one port, and the real cluster behind it. Only `kube` imports `kubernetes`."""
