"""FER+: the votes of ten people on each image of FER2013, and the labels that follow."""
