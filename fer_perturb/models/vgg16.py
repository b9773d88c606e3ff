"""VGG-16 as the paper's author trains it: batch norm and dropout after every convolution."""

from functools import partial
from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.vgg import VGG
from torch import nn

WIDTHS = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")  # M: max pooling

_CONFIG = {"input_size": (1, 48, 48), "num_classes": 7, "first_conv": "features.0", "classifier": "head.fc"}
default_cfgs = generate_default_cfgs({f"{name}.untrained": _CONFIG for name in ("fer_vgg16", "vgg16_small")})


@register_model
def fer_vgg16(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """VGG-16 (Simonyan and Zisserman 2015, configuration D) for small faces: 33,649,607 parameters.

    Against timm's `vgg16_bn`: dropout of 0.4 after every convolution, and a head of two layers 4096 wide, each with
    batch norm and dropout, on the mean of the last feature map (1x1 for 40 and 48 pixels) in place of a 7x7 map.
    """
    return _build("fer_vgg16", pretrained, share=1.0, hidden=4096, dropout=0.4, **kwargs)


@register_model
def vgg16_small(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """`fer_vgg16` with a quarter of its channels and of its dropout and a head 512 wide, for two CPU cores.

    With a dropout of 0.4 after each of so few channels it had learned nothing after six epochs of 4,000 drawn faces.
    """
    return _build("vgg16_small", pretrained, share=0.25, hidden=512, dropout=0.1, **kwargs)


def _build(variant: str, pretrained: bool, **kwargs: Any) -> nn.Module:
    network: nn.Module = build_model_with_cfg(_vgg, variant, pretrained, **kwargs)
    return network


def _vgg(*, share: float, hidden: int, dropout: float, **kwargs: Any) -> VGG:
    cfg = [width if isinstance(width, str) else int(share * width) for width in WIDTHS]
    activation = partial(_Activation, dropout)
    arguments = {"norm_layer": nn.BatchNorm2d, "act_layer": activation, "in_chans": 1, **kwargs}
    network = VGG(cfg, mlp_ratio=1 / 4096, **arguments)  # its own head, which is replaced below: hardly any weights
    layers: list[nn.Module] = [nn.AdaptiveAvgPool2d(1)]
    for width in (network.num_features, hidden):
        linear = nn.Conv2d(width, hidden, kernel_size=1)  # its bias is left as torch draws it: batch norm follows
        nn.init.kaiming_normal_(linear.weight, mode="fan_out", nonlinearity="relu")
        layers += [linear, nn.BatchNorm2d(hidden), activation(inplace=True)]
    network.set_submodule("pre_logits", nn.Sequential(*layers))
    network.head_hidden_size = hidden
    network.head.in_features = network.head.num_features = hidden
    network.reset_classifier(network.num_classes)
    return network


class _Activation(nn.Sequential):
    """ReLU and dropout, where timm's VGG expects an activation."""

    def __init__(self, dropout: float, inplace: bool = False) -> None:
        super().__init__(nn.ReLU(inplace), nn.Dropout(dropout))
