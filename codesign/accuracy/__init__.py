"""What a network is worth: data sets, training, and accuracy by the integer reference."""
