"""What the plugin's engine tests stand on: a real API server on loopback and a real Pulumi stack."""
