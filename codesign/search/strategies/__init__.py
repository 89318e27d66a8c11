"""Search strategies, one a file: the file name is the name in a flow."""
