"""The test harness: builds a toolchain from package registries and runs a real cluster with it."""
