"""Content-addressed bytes: blobs, resumable uploads, manifests of workspaces."""
