"""What `devcfg doctor` looks at: this machine, the project, the cluster. Never changes anything."""
