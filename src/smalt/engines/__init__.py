"""Everything that computes: one small protocol per ability, one module or folder per engine."""
