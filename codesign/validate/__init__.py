"""Whether it is true: external tools and what they measured."""
