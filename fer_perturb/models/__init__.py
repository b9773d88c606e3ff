"""Networks, reached through timm's registry: small ResNets, small-input stems and spatial gates."""
