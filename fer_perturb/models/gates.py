"""Spatial attention on the input and after any stage of a timm network."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_perturb.errors import UserError
from fer_perturb.models.stages import feature_info, stages
from fer_perturb.models.zero_padded import ZeroPadded

INPUT = "input"


class SpatialGate(nn.Module):
    """The spatial attention module of CBAM (Woo et al. 2018, section 3).

    M(x) = sigmoid(BN(conv7x7([max over channels; mean over channels])))

    The convolution has no bias, because batch norm follows. With one input channel (a grey picture) max and mean are
    the same, and the gate is a 7x7 filter on brightness. The map is computed in the precision of the parameters
    (float32 also under bf16 autocast), since in bf16 many pixels would share one value and clustering could
    not tell them apart.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size=7, padding=3, bias=False)
        self.norm = nn.BatchNorm2d(1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) float -> attention (B, 1, H, W) in [0, 1], in the precision of the parameters."""
        pooled = torch.cat([x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)], dim=1)
        with torch.autocast(device_type=x.device.type, enabled=False):
            attention: Tensor = self.norm(self.conv(pooled.to(self.conv.weight.dtype))).sigmoid()
        return attention


class GatedStage(nn.Module):
    """A stage of a network and the gate that weighs its output: stage(x) * gate(stage(x)).

    It takes the stage's place in the network. A forward hook would leave the names of the weights as they are, but
    a hook that is a closure is shared by deep copies (the copy would run the original's gate), and any hook
    can be lost without a word: when another tool clears the hooks, or when its id, which is a process-wide
    counter, is given out again after unpickling. A module has none of that.

    The stage may return a feature map (B, C, H, W) or (B, H, W, C), or a tuple or list of maps (B, C_i, H, W) of one
    size (a DPN's residual and dense channels, before timm began to concatenate them). For several, one attention
    map is computed from all their channels together and weighs each: the same as gating their concatenation.

    place, network: for messages. channels: of the stage's output, where known; nhwc: the network says that its
    feature maps are (B, H, W, C). A map is also taken for (B, H, W, C) if only that fits `channels`.
    """

    def __init__(self, stage: nn.Module, place: str, network: str, channels: int | None, nhwc: bool) -> None:
        super().__init__()
        self.stage = stage
        self.gate = SpatialGate()
        self.place = place
        self.network_name = network
        self.channels = channels
        self.nhwc = nhwc

    def forward(self, *args: object, **kwargs: object) -> object:
        """Takes and returns what the stage does. UserError if that is nothing that a gate can weigh."""
        out = self.stage(*args, **kwargs)
        if isinstance(out, Tensor):
            return self._gated(out)
        if isinstance(out, (tuple, list)) and out:
            maps = [self._checked(part) for part in out]
            if any(part.shape[2:] != maps[0].shape[2:] for part in maps):
                sizes = ", ".join(f"{part.shape[2]}x{part.shape[3]}" for part in maps)
                raise self._refusal(f"returns feature maps of different sizes ({sizes})")
            attention = self.gate(torch.cat(maps, dim=1))
            return type(out)(part * attention.to(part.dtype) for part in maps)
        raise self._refusal(f"returns a {type(out).__name__}")

    def _gated(self, x: Tensor) -> Tensor:
        self._checked(x)
        if self.nhwc or (x.shape[1] != self.channels and x.shape[3] == self.channels):
            attention: Tensor = self.gate(x.movedim(3, 1)).movedim(1, 3)
        else:
            attention = self.gate(x)
        return x * attention.to(x.dtype)

    def _checked(self, part: object) -> Tensor:
        if not isinstance(part, Tensor):
            raise self._refusal(f"returns a {type(part).__name__} among others")
        if part.ndim != 4:
            shape = " x ".join(str(side) for side in part.shape)
            raise self._refusal(f"returns {'tokens without a grid' if part.ndim == 3 else 'no map'} ({shape})")
        return part

    def _refusal(self, what: str) -> UserError:
        return UserError(
            f"model.attention.at: no spatial gate can follow {self.place!r} of {self.network_name}, "
            f"which {what}; a gate needs feature maps (batch, channels, height, width). "
            f"Put the gate on the input (model.attention.at=[{INPUT}]) or take a convolutional network."
        )


class GatedNetwork(nn.Module):
    """A network with spatial gates on its input and after any of its stages, whose code stays untouched.

    network: (B, C, H, W) -> logits (B, classes). It is changed in place: each gated stage becomes a GatedStage.
    attention_at: the gates' places, at least one: "input", "stage1", "stage2", ... (see `stages`), or the
        dotted name of one of the network's modules.
    name: the network's name, for messages.

    The gates draw their initial weights here, after the network has drawn its own, so a network with gates
    and one without start from the same weights for the same seed.

    Raises UserError for a place that does not exist or is named twice. Whether a stage returns something that a
    gate can weigh shows in the first forward pass.
    """

    def __init__(self, network: nn.Module, attention_at: Sequence[str], *, name: str = "this network") -> None:
        super().__init__()
        self.name = name
        self.network = network
        if isinstance(attention_at, str):
            raise UserError(f"model.attention.at must be a list of places, such as [{attention_at}].")
        self.input_gate = SpatialGate() if INPUT in attention_at else None
        self.padding = next((module for module in network.modules() if isinstance(module, ZeroPadded)), None)
        nhwc = str(getattr(network, "output_fmt", "NCHW")) == "NHWC"
        channels = {entry["module"]: entry["num_chs"] for entry in feature_info(network)}
        # All paths are looked up before any stage is replaced, as one may lie within another.
        for place, (path, stage) in _find_stages(network, attention_at, name).items():
            _replace(network, stage, GatedStage(stage, place, name, channels.get(path), nhwc))

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (B, C, H, W) float -> logits (B, classes)."""
        if self.input_gate is not None:
            x = x * self.input_gate(x).to(x.dtype)
        logits: Tensor = self.network(x)
        return logits

    def forward_with_attention(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (B, C, H, W) float -> logits (B, classes) and attention (B, H, W) float32 in [0, 1].

        The attention is the mean over the gates of their maps, each brought to the input's size (bilinear). It
        carries gradients where they are enabled.
        """
        maps: dict[str, Tensor] = {}
        # The hooks live for this call only: forward() alone keeps no map alive, and there is no state to copy.
        gates = self.gates()
        handles = [gate.register_forward_hook(_Recorder(place, maps)) for place, gate in gates.items()]
        try:
            logits = self(x)
        finally:
            for handle in handles:
                handle.remove()
        if unused := [place for place in gates if place not in maps]:
            raise UserError(
                f"model.attention.at: the forward pass of {self.name} does not call the module at {unused[0]!r}, "
                "so a gate there does nothing. Name another place, such as input or stage1."
            )
        scaled = [self._on_picture(m.float(), x, place) for place, m in maps.items()]
        return logits, torch.cat(scaled, dim=1).mean(dim=1).clamp(0.0, 1.0)  # clamp: rounding errors only

    def _on_picture(self, attention: Tensor, x: Tensor, place: str) -> Tensor:
        """A gate's map (B, 1, h, w), brought to the size of the pictures, without what lies in their padding."""
        height, width = x.shape[2:]
        left = right = top = bottom = 0
        if self.padding is not None and place != INPUT:
            left, right, top, bottom = self.padding.margins(height, width)
        size = (top + height + bottom, left + width + right)
        whole = F.interpolate(attention, size=size, mode="bilinear", align_corners=False)
        return whole[..., top : top + height, left : left + width]

    def gates(self) -> dict[str, SpatialGate]:
        """The gates by their places, in the order of the network's modules."""
        found = {} if self.input_gate is None else {INPUT: self.input_gate}
        stages = (module for module in self.network.modules() if isinstance(module, GatedStage))
        return found | {stage.place: stage.gate for stage in stages}


class _Recorder:
    """A forward hook that notes a gate's map under its place."""

    def __init__(self, place: str, maps: dict[str, Tensor]) -> None:
        self.place = place
        self.maps = maps

    def __call__(self, gate: nn.Module, inputs: object, output: Tensor) -> None:
        self.maps[self.place] = output


def _find_stages(network: nn.Module, attention_at: Sequence[str], name: str) -> dict[str, tuple[str, nn.Module]]:
    """The dotted name and the module of each place but the input."""
    if not attention_at:
        raise UserError(f"model.attention.at is empty: name one place at least, such as {INPUT} or stage1.")
    named = stages(network)
    modules = dict(network.named_modules())
    found: dict[str, tuple[str, nn.Module]] = {}
    for index, place in enumerate(attention_at):
        path = named.get(place, place)
        if place in attention_at[:index] or path in (taken for taken, _ in found.values()):
            raise UserError(f"model.attention.at names {place!r} ({path} of {name}) twice; name it once.")
        if place == INPUT:
            continue
        if path == "" or path not in modules:
            raise UserError(
                f"model.attention.at: {name} has no stage {place!r}. Choose from: {', '.join([INPUT, *named])}; "
                "or give the dotted name of one of its modules."
            )
        found[place] = (path, modules[path])
    return found


def _replace(network: nn.Module, old: nn.Module, new: GatedStage) -> None:
    """Puts `new` wherever `old` hangs in `network`, which may be at several names."""
    for parent in list(network.modules()):
        for key, child in parent._modules.items():
            if child is old:
                parent._modules[key] = new
