"""External tools that put a project to the test, one file each."""
