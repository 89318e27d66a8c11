"""How a design is written: a whole HLS project as text, with its digest."""
