"""Landmarks of photographs, and MaskFer, the faces that wear masks by them."""
