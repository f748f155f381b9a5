"""The cluster: one port, and the real cluster behind it. Only `kubeconfig` imports `kubernetes`."""
