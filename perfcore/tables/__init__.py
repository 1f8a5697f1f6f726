"""Tables of any size: columns to answers, parts that are written whole, and the workers that make them."""
