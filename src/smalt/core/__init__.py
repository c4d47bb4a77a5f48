"""Words that every room shares: settings, errors, ids, clock."""
