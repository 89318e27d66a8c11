"""How to look: trials, Pareto fronts, strategies, and studies that can be resumed."""
