"""`garrison import`: a first program, and a report, from the manifests that an application has already."""
