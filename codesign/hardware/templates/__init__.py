"""Hardware templates, one file per operator."""
