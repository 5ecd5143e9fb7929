"""What manifests say, read once: workloads, services, ConfigMaps, the names of Secrets, and policies. It judges nothing."""
