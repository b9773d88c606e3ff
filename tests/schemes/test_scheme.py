import pytest
from composing import composed
from omegaconf import OmegaConf

from fer_perturb.errors import UserError
from fer_perturb.schemes.scheme import scheme_from


def scheme(*overrides):
    return scheme_from(OmegaConf.to_container(composed(*overrides).scheme, resolve=True))


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("scheme.inference=both", "scheme.inference"),
        ("scheme.regions.init=warm", "scheme.regions.init"),
        ("scheme.regions.n_clusters=-1", "scheme.regions.n_clusters"),
        ("scheme.regions.n_clusters=0", "scheme.regions.n_clusters"),
        ("scheme.regions.n_clusters=three", "scheme.regions.n_clusters"),
        ("scheme.regions.position_weight=a", "scheme.regions.position_weight"),
        ("+scheme.x=1", "scheme.x"),
        ("+scheme.regions.x=1", "scheme.regions.x"),
        ("scheme.regions.n_clusters=1000", "scheme.regions.n_clusters"),
        ("scheme.regions.every_n_epochs=0", "scheme.regions.every_n_epochs"),
        ("scheme.views.fill=256", "scheme.views.fill"),
        ("scheme.views.fill=grey", "scheme.views.fill"),
        ("scheme.views.fill=-1", "scheme.views.fill"),
        ("scheme.regions.floor=1.5", "scheme.regions.floor"),
        ("scheme.regions.top_share=0", "scheme.regions.top_share"),
        ("scheme.regions.restarts=0", "scheme.regions.restarts"),
        ("+scheme.views.clean_share=0.5", "scheme.views.clean_share"),  # with views=all
        ("scheme.reestimate_bn=often", "scheme.reestimate_bn"),
        ("scheme.regions.position_weight=-1", "scheme.regions.position_weight"),
        ("scheme.regions=null", "inference=views"),
        ("scheme.regions._target_=nowhere.Nothing", "scheme.regions"),
        ("scheme.attention=null", "scheme/attention"),
        ("scheme.attention.epochs=0", "scheme.attention.epochs"),
    ],
)
def test_a_value_that_cannot_work_is_named(override, key):
    with pytest.raises(UserError, match=key.replace(".", r"\.")):
        scheme("scheme=perturb", override)


def test_a_value_of_clusters_that_a_control_is_around_is_named_as_well():
    with pytest.raises(UserError, match=r"scheme\.regions\.n_clusters=0: expected"):
        scheme("scheme=moved_maps", "scheme.regions.n_clusters=0")


def test_self_attention_per_image_is_clustered_each_epoch():
    with pytest.raises(UserError, match="every_n_epochs"):
        scheme("scheme=perturb_image", "scheme/attention=own_gates", "scheme.regions.every_n_epochs=2")


def test_moved_maps_of_images_need_stored_attention():
    with pytest.raises(UserError, match="phase_one"):
        scheme("scheme=moved_maps", "scheme/regions=image", "scheme/attention=own_gates")


def test_fill_is_in_grey_values():
    assert scheme("scheme.views.fill=black").views.fill_value(0.4) == 0
    assert scheme("scheme.views.fill=mean").views.fill_value(0.4) == 0.4
    assert scheme("scheme.views.fill=51").views.fill_value(0.4) == pytest.approx(0.2)


def test_the_author_s_phase_1_is_a_vgg16_with_a_gate_on_its_input():
    config = composed("scheme=perturb_author", "model=resnet_small")
    assert (config.attention_model.backbone, config.attention_model.attention.at) == ("fer_vgg16", ["input"])
    assert config.model.backbone == "resnet_small"
    assert composed("scheme=perturb", "model=resnet_tiny").attention_model.backbone == "resnet_tiny"


def test_the_paper_s_values():
    perturb = scheme("scheme=perturb")
    clusters = perturb.regions
    assert (clusters.position_weight, clusters.attention_weight, clusters.n_clusters) == (1.5, 1.2, 3)
    assert (clusters.frame, clusters.init, perturb.inference) == ("input", "random", "views")
    assert perturb.views_of_a_step == perturb.n_views == 4


def test_nothing_is_hidden_by_the_baseline_whatever_it_is_swept_with():
    plain, swept = scheme("scheme=baseline"), scheme("scheme=baseline", "scheme/views=sample")
    assert plain == swept
    assert (plain.n_views, plain.views_of_a_step, plain.has_phase_1, plain.stored) == (1, 1, False, False)


def test_the_length_of_phase_1_is_no_part_of_the_predictor_s_identity():
    """Phase 1's own key has it."""
    assert scheme("scheme.attention.epochs=3").identity() == scheme().identity()
