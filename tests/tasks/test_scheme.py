import pytest
from composing import composed
from fer_perturb.tasks.scheme import Scheme, content

from fer_perturb.errors import UserError


def scheme(*overrides):
    return Scheme.from_config(composed(*overrides).scheme)


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("scheme/regions=class", "scheme.scope"),
        ("scheme.attention=other", "scheme.attention"),
        ("scheme/views=some", "scheme.views"),
        ("scheme.inference=both", "scheme.inference"),
        ("scheme.regions.init=warm", "scheme.regions.init"),
        ("scheme.regions.n_clusters=-1", "scheme.regions.n_clusters"),
        ("scheme.regions.n_clusters=three", "scheme.regions.n_clusters"),
        ("scheme.hide=eyes", "scheme.hide"),
        ("scheme.regions.position_weight=a", "scheme.regions.position_weight"),
        ("+scheme.x=1", "scheme.x"),
        ("scheme.regions.n_clusters=1000", "scheme.regions.n_clusters"),
        ("scheme.regions.every_n_epochs=0", "scheme.regions.every_n_epochs"),
        ("scheme.views.fill=256", "scheme.views.fill"),
        ("scheme.views.fill=grey", "scheme.views.fill"),
        ("scheme.views.fill=-1", "scheme.views.fill"),
        ("scheme.regions.floor=1.5", "scheme.regions.floor"),
        ("scheme.regions.top_share=0", "scheme.regions.top_share"),
        ("scheme.regions.restarts=0", "scheme.regions.restarts"),
        ("scheme.views.clean_share=0.5", "scheme.views.clean_share"),  # with views=all
        ("scheme.reestimate_bn=often", "scheme.reestimate_bn"),
        ("scheme.regions.position_weight=-1", "scheme.regions.position_weight"),
        ("scheme.regions.n_clusters=0", "scheme.inference"),
    ],
)
def test_a_value_that_cannot_work_is_named(override, key):
    with pytest.raises(UserError, match=key.replace(".", r"\.")):
        scheme("scheme=perturb", override)


def test_self_attention_per_image_is_clustered_each_epoch():
    with pytest.raises(UserError, match="every_n_epochs"):
        scheme("scheme=perturb_image", "scheme/attention=own_gates", "scheme.regions.every_n_epochs=2")


def test_moved_maps_of_images_need_stored_attention():
    with pytest.raises(UserError, match="frozen"):
        scheme("scheme=moved_maps", "scheme/regions@scheme.regions.of=image", "scheme/attention=own_gates")


def test_fill_is_in_grey_values():
    assert scheme("scheme.views.fill=black").fill_value(0.4) == 0
    assert scheme("scheme.views.fill=mean").fill_value(0.4) == 0.4
    assert scheme("scheme.views.fill=51").fill_value(0.4) == pytest.approx(0.2)


def test_the_author_s_phase_1_is_a_vgg16_with_a_gate_on_its_input():
    config = composed("scheme=perturb_author", "model=resnet_small")
    assert (config.attention_model.backbone, config.attention_model.attention.at) == ("fer_vgg16", ["input"])
    assert config.model.backbone == "resnet_small"
    assert composed("scheme=perturb", "model=resnet_tiny").attention_model.backbone == "resnet_tiny"


def test_the_paper_s_values():
    perturb = scheme("scheme=perturb")
    assert (perturb.position_weight, perturb.attention_weight, perturb.n_clusters) == (1.5, 1.2, 3)
    assert (perturb.scope, perturb.views, perturb.inference, perturb.init) == ("batch", "all", "views", "random")


def test_nothing_of_the_masks_matters_to_the_baseline():
    assert content(scheme("scheme=baseline")) == content(scheme("scheme=baseline", "scheme/views=sample")) == {}
