"""Accuracy predictors, one file each."""
