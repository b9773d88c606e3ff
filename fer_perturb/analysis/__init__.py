"""What runs show: metrics and summaries, computed from predictions; nothing here trains."""
