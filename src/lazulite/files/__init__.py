"""Files on this machine: content-addressed snapshots, datastores as folders, blobs, and logs."""
