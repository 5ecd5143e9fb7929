"""Policy as code: rules as values, with the same verdict on files, at preview, at admission and on a live cluster."""
