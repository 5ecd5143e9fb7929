"""Reading manifests as kubectl reads them: files, charts, kustomizations."""
