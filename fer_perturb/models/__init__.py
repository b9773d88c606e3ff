"""Networks, reached through timm's registry: the paper's five, small ones, small-input stems and spatial gates."""
