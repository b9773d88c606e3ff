"""TensorBoard's files of each phase (conf/logger/tensorboard.yaml)."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image
from pytorch_lightning.loggers import TensorBoardLogger

from fer_perturb.errors import UserError

METRICS = ("val/accuracy", "test/accuracy", "test/balanced_accuracy")  # that TensorBoard compares runs by


class PhaseTensorBoardLogger(TensorBoardLogger):
    """Lightning's, with pictures, tables, and what became of the phase, in <save_dir>/<name>.

    What is interrupted and resumed goes on in the same folder. pictures_every_n_epochs: see `Shows`. Raises UserError
    where TensorBoard is not installed.
    """

    def __init__(self, *, save_dir: Path, name: str, pictures_every_n_epochs: int) -> None:
        try:
            super().__init__(save_dir, name, version="", default_hp_metric=False)
        except ModuleNotFoundError as error:
            raise UserError(
                "logger=tensorboard needs TensorBoard: pip install 'fer_perturb[tensorboard]', or take logger=csv."
            ) from error
        self.pictures_every_n_epochs = pictures_every_n_epochs

    def log_hyperparams(self, params: Any, metrics: Any = None, step: int | None = None) -> None:
        """The settings as text, and those that people choose runs by as what TensorBoard calls hyperparameters."""
        from torch.utils.tensorboard import summary

        hparams: Any = summary.hparams
        self.experiment.add_text("settings", f"```yaml\n{yaml.safe_dump(params, sort_keys=False)}```")
        chosen = {group: params[group]["name"] for group in ("dataset", "scheme", "recipe")}
        chosen |= {"model": params["model"]["backbone"], "seed": params["seed"]}
        chosen |= {key: params["about"][key] for key in ("phase", "sweep")}
        *start, _ = hparams({key: value for key, value in chosen.items() if value is not None}, dict.fromkeys(METRICS))
        self._write(*start)

    def picture(self, name: str, png: bytes, step: int) -> None:
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
        self.experiment.add_image(name, pixels, step, dataformats="HWC")

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int) -> None:
        lines = [columns, ["---"] * len(columns), *([_told(value) for value in row] for row in rows)]
        self.experiment.add_text(name, "\n".join(f"| {' | '.join(line)} |" for line in lines), step)

    def save(self) -> None:
        """Writes what is not yet on disk; config.yaml holds the settings already."""
        self.experiment.flush()

    def finalize(self, status: str) -> None:
        """Lightning's end of training, after which the phase has more to show."""
        self.save()

    def close(self, failed: bool) -> None:
        """Says what became of the phase, and closes its file."""
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

        status = api_pb2.STATUS_FAILURE if failed else api_pb2.STATUS_SUCCESS
        end = plugin_data_pb2.SessionEndInfo(status=status)
        data = plugin_data_pb2.HParamsPluginData(session_end_info=end, version=metadata.PLUGIN_DATA_VERSION)
        plugin = SummaryMetadata.PluginData(plugin_name=metadata.PLUGIN_NAME, content=data.SerializeToString())
        value = Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=SummaryMetadata(plugin_data=plugin))
        self._write(Summary(value=[value]))
        self.experiment.add_text("status", "failed" if failed else "finished")
        self.experiment.close()

    def _write(self, *summaries: Any) -> None:
        writer = self.experiment._get_file_writer()
        for summary in summaries:
            writer.add_summary(summary)


def _told(value: Any) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
