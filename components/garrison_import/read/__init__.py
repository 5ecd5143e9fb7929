"""What manifests say: workloads, services, ConfigMaps, the names of Secrets, and policies. It judges nothing."""
