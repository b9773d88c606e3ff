"""The three phases as LightningModules, the callback that re-clusters each epoch, and the chain that runs them."""
