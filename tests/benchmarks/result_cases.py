"""The command lines whose results `same_results` compares: chains of a few steps, one for each choice.

The names stay where keys of conf/ get other names, so that results from before and after can be compared.
"""

from benchmarks.result_sources import FER2013, SHADES, VOTES

# datasets
FACES_DRAWN = "dataset.drawing.train=64 dataset.drawing.val=14 dataset.drawing.test=14"
FACES = f"dataset=synthetic dataset.name=faces {FACES_DRAWN}"  # they have landmarks
PLANTED = f"dataset=planted {FACES_DRAWN}"
PICTURES = "dataset=folder dataset.name=shades"  # soon learned, so that the last epoch is the best, and all count
FEW = "dataset=synthetic dataset.name=few dataset.drawing.train=8 dataset.drawing.val=3 dataset.drawing.test=3"

# lengths
THREE_EPOCHS = "recipe=demo recipe.epochs=3 recipe.batch_size=16 recipe.optimizer.lr=0.01"
ONE_EPOCH = "recipe=demo recipe.epochs=1 recipe.batch_size=8"
FOUR_STEPS = (  # without what AdamW keeps of each weight
    "recipe=demo recipe.epochs=1 recipe.batch_size=2 recipe.scheduler.pct_start=0.5 "
    "recipe.optimizer._target_=torch.optim.SGD"
)

HERE = "trainer.accelerator=cpu trainer.enable_progress_bar=false"
SCOPES, VIEWS = ("batch", "dataset", "image"), ("all", "sample")
BATCH, IMAGE = "scheme=perturb scheme/views=sample", "scheme=perturb_image scheme/views=sample"
SELF = "scheme/attention=own_gates model.attention.at=[stage1,stage2]"

# what all cases find ready
PREPARED = (
    f"prepare {PICTURES} source={{{SHADES}}}",
    f"prepare dataset=fer2013 source={{{FER2013}}} votes={{{VOTES}}}",
    f"prepare {FACES}",
    "prepare dataset=maskfer dataset.of=faces",
)


def train(data: str, length: str, words: str) -> str:
    return f"train {data} model=resnet_tiny {length} recipe.precision=32-true {HERE} logger=csv {words}"


def pictures(words: str) -> str:
    """A chain of three epochs of six steps, on pictures of 32x40 pixels in three classes."""
    return train(PICTURES, THREE_EPOCHS, words)


def faces(words: str, data: str = FACES) -> str:
    """A chain of one epoch of eight steps, on faces of 48x48 pixels."""
    return train(data, ONE_EPOCH, words)


def evaluate(words: str) -> str:
    return f"evaluate {HERE} {words}"


SCHEMES = {
    "baseline": pictures("scheme=baseline"),
    **{
        f"{scheme}-{scope}-{views}": pictures(f"scheme={scheme} scheme/regions={scope} scheme/views={views}")
        for scheme in (
            *("perturb", "position_only", "grey_value", "moved_maps", "most_attended", "least_attended"),
            "extra_erasing",
        )
        for scope in SCOPES
        for views in VIEWS
    },
    **{
        f"self-{scope}-{views}": pictures(f"scheme=perturb {SELF} scheme/regions={scope} scheme/views={views}")
        for scope in SCOPES
        for views in VIEWS
    },
    "copies-all": pictures("scheme=copies"),
    "copies-sample": pictures("scheme=copies scheme/regions=image scheme/views=sample"),
    "self-moved": pictures(f"scheme=moved_maps {SELF} scheme/regions=dataset"),
    "self-most_attended": pictures(f"scheme=most_attended {SELF} scheme/regions=image"),
    "grey-moved": pictures("scheme=moved_maps scheme/attention=grey_values scheme/regions=image"),
    "perturb_image": pictures("scheme=perturb_image"),
    "perturb_author": pictures("scheme=perturb_author attention_model.backbone=vgg16_small"),
    "landmarks-all": faces("scheme=landmarks"),
    "landmarks-sample": faces("scheme=landmarks scheme/views=sample"),
}

KEYS_OF_SCHEMES = {
    "clusters-1": pictures(f"{BATCH} scheme.regions.n_clusters=1"),
    "clusters-5": pictures(f"{BATCH} scheme.regions.n_clusters=5"),
    "weights": pictures(f"{BATCH} scheme.regions.position_weight=0.5 scheme.regions.attention_weight=3"),
    "floor": pictures(f"{BATCH} scheme.regions.floor=0.4"),
    "floor-image": pictures(f"{IMAGE} scheme.regions.floor=0.4"),
    "top_share": pictures(f"{BATCH} scheme.regions.top_share=0.5"),
    "top_share-dataset": pictures(f"{BATCH} scheme/regions=dataset scheme.regions.top_share=0.3"),
    "top_share-image": pictures(f"{IMAGE} scheme.regions.top_share=0.5"),
    "top_share-most_attended": pictures("scheme=most_attended scheme.regions.top_share=0.5"),
    "init-previous": pictures(f"{BATCH} scheme.regions.init=previous scheme.regions.restarts=1"),
    "init-previous-image": pictures(f"{IMAGE} scheme.regions.restarts=1"),
    "init-random-image": pictures(f"{IMAGE} scheme.regions.init=random scheme.regions.restarts=1"),
    "restarts": pictures(f"{BATCH} scheme.regions.restarts=1"),
    "every_2_epochs": pictures(f"{BATCH} scheme.regions.every_n_epochs=2"),
    "every_2_epochs-image": pictures(f"{IMAGE} scheme.regions.init=random scheme.regions.every_n_epochs=2"),
    "fill-mean": pictures(f"{BATCH} scheme.views.fill=mean"),
    "fill-value": pictures(f"{IMAGE} scheme.views.fill=200"),
    "fill-rectangle": pictures("scheme=extra_erasing scheme.views.fill=mean"),
    "clean_share": pictures(f"{BATCH} scheme.views.clean_share=0.6"),
    "clean_share-rectangle": pictures("scheme=extra_erasing scheme/views=sample scheme.views.clean_share=0.6"),
    "clean_share-one_region": pictures("scheme=least_attended scheme/views=sample scheme.views.clean_share=0.6"),
    "reestimate_bn": pictures(f"{BATCH} scheme.reestimate_bn=true"),
    "reestimate_bn-baseline": pictures("scheme=baseline scheme.reestimate_bn=true"),
    "inference-original": pictures(f"{BATCH} scheme.inference=original"),
    "attention_epochs": pictures(f"{BATCH} scheme.attention.epochs=2"),
    "attention_model": pictures(f"{BATCH} attention_model.attention.at=[input,stage3]"),
    "attention_model-vgg16": pictures(f"{BATCH} attention_model=vgg16_input attention_model.backbone=vgg16_small"),
    "seed": pictures(f"{BATCH} seed=1"),
}

RECIPES = {
    "mixup": pictures("scheme=baseline recipe.mixup=0.4"),
    "mixup-views": pictures("scheme=perturb recipe.mixup=0.4"),
    "erase": pictures("scheme=baseline recipe.augmentation.erase=0.7"),
    "erase-views": pictures("scheme=perturb_image recipe.augmentation.erase=0.7"),
    "not_augmented": pictures("scheme=baseline recipe.augmentation.affine=0 recipe.augmentation.jitter=0"),
    "channels_first": pictures("scheme=baseline recipe.channels_last=false"),
    "initial_size": pictures("scheme=baseline recipe.initial_size=16"),
    "initial_size-dataset": pictures(f"{BATCH} scheme/regions=dataset recipe.initial_size=16"),
    "flip": pictures("scheme=baseline recipe.tta=flip"),
    **{f"flip-{scope}": pictures(f"{BATCH} scheme/regions={scope} recipe.tta=flip") for scope in SCOPES},
    "crop": pictures("scheme=baseline recipe.crop=24"),
    "crop-flip": pictures(f"{BATCH} recipe.crop=24 recipe.tta=flip"),
    "crop-ten": pictures("scheme=baseline recipe.crop=24 recipe.tta=ten"),
    **{f"crop-ten-{s}": pictures(f"{BATCH} scheme/regions={s} recipe.crop=24 recipe.tta=ten") for s in SCOPES},
    "crop-rectangle": pictures("scheme=extra_erasing recipe.crop=24"),
    "crop-self": pictures(f"{BATCH} {SELF} recipe.crop=24"),
    "paper": pictures("scheme=baseline recipe=paper recipe.epochs=3 recipe.crop=24 recipe.scheduler.patience=0"),
    **{  # of which three grow from 32 pixels
        name: train(FACES, f"recipe={name} recipe.epochs=3 recipe.batch_size=16", "scheme=baseline")
        for name in ("cpu", "quick", "hour", "overnight", "study")
    },
}

LONGER = pictures("scheme=baseline recipe.epochs=9")
BUDGETS = {
    "budget-passes": (LONGER, pictures("scheme=perturb budget=passes budget_of={0}")),
    "budget-flops": (LONGER, pictures(f"{IMAGE} budget=flops budget_of={{0}}")),
    "budget-flops-self": (LONGER, pictures(f"{BATCH} {SELF} scheme.reestimate_bn=true budget=flops budget_of={{0}}")),
    "budget-epochs": (LONGER, pictures(f"{BATCH} budget_of={{0}}")),
    "budget-of-the-baseline": pictures("scheme=grey_value budget=flops recipe.epochs=9"),
}

DATA = {
    "clean": pictures("scheme=baseline dataset.clean=true"),
    "fer2013": faces("scheme=baseline", "dataset=fer2013"),
    "ferplus": faces(f"{BATCH} dataset.labels=ferplus test_on=[fer2013,fer2013@ferplus]", "dataset=fer2013"),
    "faces-test_on": faces("scheme=baseline test_on=[maskfer,faces+mouth@0.5,faces+eyes@1-skin]"),
    "planted": faces("scheme=perturb", PLANTED),
    "maskfer": faces("scheme=baseline test_on=[faces]", "dataset=maskfer dataset.of=faces"),
    "maskfer-landmarks": faces("scheme=landmarks", "dataset=maskfer dataset.of=faces"),
    "occluder": faces("scheme=baseline dataset.occluder=mask"),
    "occluder-several": faces(f"{BATCH} dataset.occluder=mouth@0.5-skin+eyes@1-noise+nose@1-blur"),
}

# network -> words; ensembles are the means of these runs
SMALL = ("vgg16_small", "resnet_small", "densenet_small", "dpn_small", "resmasking_small")
QUICK = ("seresnet_light", "seresnet_small")
FIVE_ON_A_GPU = ("seresnet_wide", "seresnet_small", "vgg16_small", "densenet_small", "resmasking_small")
LARGE = ("vgg16", "resnet", "densenet", "dpn")


def small(model: str) -> str:
    return faces(f"model={model} {BATCH}")


def large(model: str) -> str:
    """A chain of one epoch of four steps of two faces, for networks that take seconds for a step."""
    return train(FEW, FOUR_STEPS, f"model={model} scheme=baseline")


NETWORKS = {
    "resnet_tiny": small("resnet_tiny"),
    **{name: small(name) for name in (*SMALL, *QUICK, "seresnet_wide")},
    "ensemble_small": (*map(small, SMALL), small("ensemble_small")),
    "ensemble_quick": (*map(small, QUICK), small("ensemble_quick")),
    "ensemble_gpu": (*map(small, FIVE_ON_A_GPU), small("ensemble_gpu")),
    **{name: large(name) for name in LARGE},
    "ensemble": (*map(large, LARGE), large("ensemble ~model.members.resmasking")),
    "timm": small("timm model.backbone=convnext_atto model.small_input=true"),
    "timm-kwargs": small("timm model.backbone=resnet10t +model.kwargs.drop_rate=0.2"),
    "gated": faces("scheme=baseline model.attention.at=[input,stage2]"),
}

EVALUATIONS = {
    "evaluate": (SCHEMES["perturb-batch-all"], evaluate("run={0}")),
    **{
        f"evaluate-views_from-{name}": (SCHEMES["baseline"], SCHEMES[name], evaluate("run={0} views_from={1}"))
        for name in (
            *("perturb-batch-all", "perturb-dataset-all", "perturb_image", "self-image-all", "moved_maps-image-all"),
            "most_attended-image-all",
        )
    },
    "evaluate-views_from-landmarks": (
        *(DATA["faces-test_on"], SCHEMES["landmarks-all"]),
        evaluate("run={0} views_from={1} dataset=synthetic dataset.name=faces"),
    ),
    "evaluate-occluder": (
        SCHEMES["landmarks-all"],
        evaluate("run={0} dataset=synthetic dataset.name=faces dataset.occluder=mouth@0.5"),
    ),
    "evaluate-ensemble": (
        *NETWORKS["ensemble_quick"],
        evaluate("run={2} dataset=maskfer dataset.of=faces"),
    ),
}

_ALL = SCHEMES | KEYS_OF_SCHEMES | RECIPES | BUDGETS | DATA | NETWORKS | EVALUATIONS
# name -> command lines, the last of which is the case, and {0}, {1}, … in it are the runs of those before
CASES = {name: (words,) if isinstance(words, str) else words for name, words in _ALL.items()}

LEFT_OUT = {  # group/choice of conf/ -> why no case has it
    "dataset/smoke": "drawn faces, as dataset=synthetic, and fewer",
    "recipe/smoke": "recipe=demo with other numbers",
    "recipe/gpu": "recipe=overnight with other numbers, compiled, which takes a minute",
    "model/resmasking": "137.8 M parameters take a minute; resmasking_small is made of the same blocks",
}
