"""What computes a network: boards, processes and the templates that chain them."""
