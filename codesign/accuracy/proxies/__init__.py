"""Zero-cost proxies, one file each."""
