"""Which design is best: exact optimisers, one file per kind of design."""
