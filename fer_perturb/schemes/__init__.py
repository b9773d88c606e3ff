"""A scheme is made of parts: where it looks (attention/), what may be hidden (regions/), and how (views.py)."""
