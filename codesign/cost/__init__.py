"""What a design costs: cycles, resources, energy and the roofs above it."""
