"""`garrison scan`: what is wrong with an image, a folder or a whole stack, and never "clean" by accident.

Trivy finds, cosign verifies, both as verified binaries in processes of their own; this package decides. It fails
closed: whatever keeps a scan from being complete is a `ScanError`, and a ScanError is never a clean verdict.
"""
