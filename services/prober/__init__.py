"""The probe tool of `garrison prove`: tries connections from inside a pod and reports what happened, without judging.

It knows nothing of the call graph. It reads a batch of attempts as JSON on standard input and writes one observation
per attempt as JSON on standard output; what an observation means is decided by the reader. Standard library only, so
that its image is nothing but Python.
"""
