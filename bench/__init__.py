"""What performance claims are measured with: ratios in one run, and counts."""
