"""Which model name is served by which engine: catalog, packs, leases."""
