"""The Perturb Scheme's own mathematics, plain tensors in and out: Eq. 1 features, k-means, cluster maps, views."""
