"""What is computed: operators, graphs and the integers that define a network."""
