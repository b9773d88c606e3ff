"""What other libraries warn of although it is as it should be, and nobody who runs a training could change it.

Everything else is mended where it comes from; what is new here needs its reason beside it.
"""

import logging
import re
import warnings

NOT_FOR_PEOPLE = (
    # Lightning's use of torch, once an epoch
    ("`isinstance(treespec, LeafSpec)` is deprecated", "pytorch_lightning.utilities._pytree"),
    # the images lie in memory, and a batch is an index into them: processes that load it would only add copies
    ("does not have many workers which may be a bottleneck", "pytorch_lightning.trainer.connectors.data_connector"),
    # a phase's own folder, from whose checkpoints it goes on
    ("exists and is not empty.", "pytorch_lightning.callbacks.model_checkpoint"),
    # trainer.accelerator=cpu was asked for
    ("GPU available but not used.", "pytorch_lightning.trainer.setup"),
)


def silence_others() -> None:
    """Ignores those warnings, each by its words and the module that gives it; calling it again changes nothing."""
    for words, module in NOT_FOR_PEOPLE:
        warnings.filterwarnings("ignore", message=f".*{re.escape(words)}", module=f"{re.escape(module)}$")
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)  # no advertisements, no lists of absent devices
