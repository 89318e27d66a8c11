"""What a person reads: tables, figures, explanations, one page."""
