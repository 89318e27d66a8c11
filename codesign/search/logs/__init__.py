"""The logs, one file each; see `codesign.search.log`."""
