"""A run as one file: an ONNX or TorchScript graph with its preprocessing inside, or all of it as safetensors."""

import io
import json
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from fer_perturb.errors import UserError
from fer_perturb.files import write_bytes
from fer_perturb.prediction.judge import Judge
from fer_perturb.prediction.portable import Portable

INPUT, OUTPUTS = "image", ["logits", "probabilities"]
ENDINGS = {"onnx": ".onnx", "torchscript": ".pt", "safetensors": ".safetensors"}


def write_model(run: Portable, form: str, out: Path) -> Path:
    """Writes <dataset>-<model>-<scheme>-seed<k> in that form into the folder `out`, whole or not at all; the file.

    Raises UserError for another form, for one that cannot hold the run (see Judge), and without the packages of
    fer_perturb[export].
    """
    if form not in ENDINGS:
        raise UserError(f"format={form}: expected one of {', '.join(ENDINGS)}.")
    makers: dict[str, Callable[[Portable], bytes]] = {"onnx": onnx, "torchscript": torchscript, "safetensors": tensors}
    content = makers[form](run)
    file = out / f"{run.name}{ENDINGS[form]}"
    write_bytes(file, content)
    return file


def onnx(run: Portable) -> bytes:
    """A graph of any number of images; `classes`, a JSON list, is among its metadata."""
    if not all(find_spec(name) for name in ("onnx", "onnxscript")):
        raise UserError("format=onnx needs two packages more: pip install 'fer_perturb[export]'")
    count = torch.export.Dim("images")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own making
        program = torch.onnx.export(
            Judge(run),
            (_example(run),),
            input_names=[INPUT],
            output_names=OUTPUTS,
            dynamic_shapes=({0: count},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    proto.metadata_props.add(key="classes", value=json.dumps(run.classes))
    content: bytes = proto.SerializeToString()
    return content


def torchscript(run: Portable) -> bytes:
    """A traced module; `classes.json` is among its extra files."""
    written = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trace: Any = torch.jit.trace
        traced = trace(Judge(run), (_example(run),), check_trace=False)
        torch.jit.save(traced, written, _extra_files={"classes.json": json.dumps(run.classes)})
    return written.getvalue()


def tensors(run: Portable) -> bytes:
    """All that `portable` reads again: the weights of phases 3 and 1, and as metadata what the run is."""
    return save(*run.as_tensors())


def _example(run: Portable) -> torch.Tensor:
    return torch.zeros(2, *run.image_size, dtype=torch.uint8)
