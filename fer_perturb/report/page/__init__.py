"""The report: one HTML file with all in it, made from whatever runs there are."""

from fer_perturb.report.page.write import write_report

__all__ = ["write_report"]
