"""Whether it is true: tools that turn a project into measurements."""
