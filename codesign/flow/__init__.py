"""One run, from a wish to proven C++: what was asked, the stages, and the folder they fill."""
