"""Where networks look, for people: tables, figures, pages."""
