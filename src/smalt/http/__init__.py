"""What every group shares on the wire: mounts, authentication, errors, streams, limits."""
