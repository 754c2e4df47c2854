"""Any program: recorded while it works, started again on what a power cut may have left, and judged."""
