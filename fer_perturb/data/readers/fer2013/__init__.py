"""FER2013 in each form in which people have it."""
