"""Networks made for 224 pixels, fitted to small pictures: their early downsampling is taken away.

timm's networks shrink a picture 32 times, which leaves of 48 pixels one or two. The rule here asks what a
network does, not what it is called, so there is no table of families:

1. A forward pass of shapes only (meta tensors, no arithmetic) finds every strided convolution and pooling in
   the order in which they run. Those that take the map from one size to the next form a LEVEL, a block's
   parallel branches and its shortcut included. A ResNet's levels: its 7x7 convolution, its max pooling,
   layer2, layer3, layer4.
2. While the last feature map would be less than 3 pixels wide, one level is made half as coarse: the first one
   before stage1 that only pools (the max pooling of a ResNet or a DenseNet), or else the first of all (the
   stride-2 stem of an EfficientNet or a RegNet, the 4x4 patches of a ConvNeXt). A pooling becomes the
   identity; a convolution's stride is halved; a patch convolution (kernel = stride) stays one, and keeps the
   upper left part of its weights.
3. A network that is built for one picture size (`img_size`: the vision transformers) gets that size, and finer
   patches where it takes `patch_size`: if it keeps one grid throughout (ViT), the largest power of two that
   leaves 10 patches a side (4 for 48 pixels), if it downsamples (Swin), halved as in 2. It takes other
   sizes, too, where timm offers `dynamic_img_size`; if not, it takes that one size only.

What is given in model.kwargs stands. A network that cannot be fitted so is refused. Pictures of 48 pixels end
in 3x3 maps, a reduction of 16; crops of 40 from them too, or in 2x2 where patches cut off the rest.
"""

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from fer_perturb.errors import UserError
from fer_perturb.models.create import UnavailableWeightsError, create
from fer_perturb.models.stages import feature_info, stages

SMALLEST_MAP = 3  # pixels: the least side of the last feature map
FEWEST_PATCHES = 10  # a side, for a network that keeps one grid
_PROBE = 256  # pixels: so large that the last level of a network for 224 pixels still shows


@dataclass(frozen=True)
class _Step:
    """One module that makes the map smaller."""

    name: str
    module: nn.Module
    sides: tuple[int, int]  # height of its input and of its output, pixels
    in_stem: bool  # runs before stage1


def build_for_small_input(backbone: str, arguments: Mapping[str, Any], image_size: tuple[int, int]) -> nn.Module:
    """timm's network `backbone`, built with `arguments` and fitted to pictures of `image_size` (H, W) pixels.

    Its `feature_info` gives the reductions after the fitting.
    Raises UserError if it cannot be fitted by the rule above.
    """
    with torch.random.fork_rng(devices=[]):  # the network that is kept draws the same weights as without
        skeleton = create(backbone, {**arguments, "pretrained": False})
    for_size = _size_arguments(skeleton, image_size)
    try:
        network = create(backbone, {**for_size, **arguments})
        if "patch_size" not in for_size:
            _make_finer(network, image_size, probe=image_size if for_size else (_PROBE, _PROBE))
        _forward_shapes(network, image_size)
        if _last_side(network, image_size) < SMALLEST_MAP:
            raise ValueError(f"its last feature map is less than {SMALLEST_MAP} pixels wide")
    except UnavailableWeightsError:
        raise
    except Exception as error:  # whatever the network's own code raises when it does not fit
        height, width = image_size
        raise UserError(
            f"model.small_input: {backbone} cannot be fitted to pictures of {height}x{width} pixels "
            f"({str(error) or type(error).__name__}). {other_ways(image_size, small_input=True)}"
        ) from error
    return network


def other_ways(image_size: tuple[int, int], small_input: bool) -> str:
    """What is left to try where a network, fitted (`small_input`) or as it is, does not take `image_size` (H, W)."""
    height, width = image_size
    size = height if height == width else f"[{height},{width}]"
    way = "model.small_input=false, alone or with" if small_input else "model.small_input=true, or without it"
    return (
        f"Try {way} +model.kwargs.img_size={size}; or another network: docs/networks.md tells which families of timm "
        "take 48 pixels, and how."
    )


def _size_arguments(skeleton: nn.Module, image_size: tuple[int, int]) -> dict[str, Any]:
    """The arguments that build a network for pictures of `image_size`; {} if it is not built for one size."""
    offered = {
        name
        for kind in type(skeleton).__mro__
        if issubclass(kind, nn.Module) and "__init__" in vars(kind)
        for name in inspect.signature(kind).parameters
    }
    if "img_size" not in offered:
        return {}
    chosen: dict[str, Any] = {"img_size": image_size}
    chosen |= {name: True for name in ("dynamic_img_size", "dynamic_img_pad") if name in offered}
    reductions = [entry["reduction"] for entry in feature_info(skeleton)]
    if "patch_size" in offered and reductions:
        patch, side = int(reductions[0]), min(image_size)
        if len(set(reductions)) == 1:
            while patch > 1 and side < FEWEST_PATCHES * patch:
                patch = _half(patch)
        else:
            while patch > 1 and math.ceil(side * reductions[0] / (reductions[-1] * patch)) < SMALLEST_MAP:
                patch = _half(patch)
        chosen["patch_size"] = patch
    return chosen


def _half(patch: int) -> int:
    """The next smaller power of two."""
    return int(2 ** (math.ceil(math.log2(patch)) - 1))


def _last_side(network: nn.Module, image_size: tuple[int, int]) -> int:
    """The shorter side of the last feature map, as `feature_info` has it."""
    reductions = [entry["reduction"] for entry in feature_info(network)]
    return math.ceil(min(image_size) / reductions[-1]) if reductions else min(image_size)


def _make_finer(network: nn.Module, image_size: tuple[int, int], probe: tuple[int, int]) -> None:
    """Halves the earliest levels until the last feature map is SMALLEST_MAP pixels wide."""
    while _last_side(network, image_size) < SMALLEST_MAP:
        steps = _downsampling_steps(network, probe)
        if not steps:
            raise ValueError("it has no strided convolution or pooling to take away")
        level = next((sides for sides in _levels(steps) if _is_stem_pooling(steps, sides)), steps[0].sides)
        for step in steps:
            if step.sides == level:
                _halve(network, step)
        for entry in feature_info(network):
            if entry["reduction"] * level[1] >= probe[0]:  # at that level or after it
                entry["reduction"] = max(1, entry["reduction"] // 2)


def _levels(steps: list[_Step]) -> list[tuple[int, int]]:
    return list(dict.fromkeys(step.sides for step in steps))


def _is_stem_pooling(steps: list[_Step], sides: tuple[int, int]) -> bool:
    return all(step.in_stem and _pools(step.module) for step in steps if step.sides == sides)


def _downsampling_steps(network: nn.Module, probe: tuple[int, int]) -> list[_Step]:
    """Every convolution and pooling that at least halves its map, in the order in which they run."""
    steps: list[_Step] = []
    entered: list[str] = []

    def note_step(name: str, module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        x = inputs[0] if inputs else None
        if isinstance(x, Tensor) and isinstance(output, Tensor) and x.ndim == 4 == output.ndim:
            before, after = x.shape[2], output.shape[2]
            if before >= 2 * after - 1 and before > after:
                steps.append(_Step(name, module, (before, after), in_stem=not entered))

    def note_stage(module: nn.Module, inputs: tuple[object, ...]) -> None:
        entered.append("stage1")

    handles = [
        module.register_forward_hook(partial(note_step, name))
        for name, module in network.named_modules()
        if hasattr(module, "stride") and not list(module.children())
    ]
    if first_stage := next(iter(stages(network).values()), None):
        handles.append(network.get_submodule(first_stage).register_forward_pre_hook(note_stage))
    try:
        _forward_shapes(network, probe)
    finally:
        for handle in handles:
            handle.remove()
    return steps


def _pools(module: nn.Module) -> bool:
    return next(module.parameters(), None) is None


def _halve(network: nn.Module, step: _Step) -> None:
    """Makes one module step half as far."""
    module = step.module
    if _pools(module):
        network.set_submodule(step.name, nn.Identity())
    elif isinstance(module, nn.Conv2d):
        rows, columns = (max(1, stride // 2) for stride in module.stride)
        if module.kernel_size == module.stride:
            module.weight = nn.Parameter(module.weight.detach()[:, :, :rows, :columns].clone())
            module.kernel_size = (rows, columns)
        module.stride = (rows, columns)
    else:
        raise ValueError(f"its {step.name} ({type(module).__name__}) cannot be made finer")


def _forward_shapes(network: nn.Module, image_size: tuple[int, int]) -> None:
    """One picture through the network, shapes only: nothing is computed, and nothing in the network changes."""
    state = [*network.named_parameters(), *network.named_buffers()]
    channels = next(m.in_channels for m in network.modules() if isinstance(m, nn.Conv2d))
    picture = torch.empty(1, channels, *image_size, device="meta")
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.no_grad():
            functional_call(network, {name: value.to("meta") for name, value in state}, (picture,))
    finally:
        for module, training in modes.items():
            module.training = training
