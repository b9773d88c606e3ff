"""Which module ends which stage of a timm network."""

from typing import Any

from torch import nn


def feature_info(network: nn.Module) -> list[dict[str, Any]]:
    """timm's notes on each stage, as the network holds them: `module`, `reduction`, `num_chs`; [] if none."""
    info = getattr(network, "feature_info", None) or []
    entries: list[dict[str, Any]] = getattr(info, "info", info)  # some networks wrap the list in a FeatureInfo
    return entries


def stages(network: nn.Module) -> dict[str, str]:
    """The stages of a timm network, in the order of the forward pass: {"stage1": dotted module name, ...}.

    They are the entries of timm's `feature_info`, less a first entry that belongs to the stem. So stage1 is
    the first stage after the stem in every network: `layer1` of a ResNet (where timm lists `act1` first) as well
    as `stages.0` of a ConvNeXt (which timm lists first). The first entry belongs to the stem if
      1. it contains the first convolution (a DPN's `features.conv1_1`, a RegNet's `stem`), or
      2. it lies with the first convolution in a module that the second entry is outside of (`stem.conv3`), or
      3. it stands beside the first convolution and is no more than a norm or an activation, while the second
         entry has convolutions (a ResNet's `act1`, a DenseNet's `features.norm0`; not so in VGG, where every
         entry is an activation).
    Entries that name no module are left out. A network without `feature_info` has no named stages.
    """
    entries = list(dict.fromkeys(entry["module"] for entry in feature_info(network)))
    modules = dict(network.named_modules())
    if _starts_with_stem(entries, modules):
        entries = entries[1:]
    named = (entry for entry in entries if entry and entry in modules)
    return {f"stage{i}": entry for i, entry in enumerate(named, start=1)}


def _starts_with_stem(entries: list[str], modules: dict[str, nn.Module]) -> bool:
    first_conv = next((name for name, module in modules.items() if isinstance(module, nn.Conv2d)), None)
    if first_conv is None or len(entries) < 2:
        return False
    first, second = entries[:2]
    if first not in modules or _inside(first_conv, first):
        return True
    common = _common(first, first_conv)
    if common and not _inside(second, common):
        return True
    beside = first.rpartition(".")[0] == common
    return beside and not _convolves(modules[first]) and second in modules and _convolves(modules[second])


def _inside(name: str, container: str) -> bool:
    return container == "" or name == container or name.startswith(container + ".")


def _common(a: str, b: str) -> str:
    """The dotted name of the innermost module that holds both ("" = the network itself)."""
    shared = []
    for x, y in zip(a.split("."), b.split("."), strict=False):
        if x != y:
            break
        shared.append(x)
    return ".".join(shared)


def _convolves(module: nn.Module) -> bool:
    """Whether it has weights other than a norm's."""
    return any(parameter.ndim > 1 for parameter in module.parameters())
