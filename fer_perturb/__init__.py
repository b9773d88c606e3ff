"""The Perturb Scheme for facial expression recognition (Cheng Qiu, "Leaving Some Facial Features Behind")."""
