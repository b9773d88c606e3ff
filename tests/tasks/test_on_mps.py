"""The whole chain on what stands in for Apple's GPU: nothing there is in float64, and each step's stream is started."""

import json

import pyarrow.parquet as pq
import pytest
import torch
from composing import small
from mps_stand_in import MPS, OnMPS, mps_stand_in

from fer_perturb.seeds import derive
from fer_perturb.train import train

pytestmark = pytest.mark.slow

SCHEMES = [
    ["scheme=perturb", "recipe.crop=40", "recipe.mixup=0.2", "recipe.augmentation.erase=0.5"],
    [
        "scheme=perturb_image",
        "scheme.regions.top_share=0.5",
        "scheme.reestimate_bn=true",
        "test_on=[synthetic+mouth@0.5-skin]",
    ],
    ["scheme=most_attended", "scheme/regions=image", "scheme/attention=own_gates", "model.attention.at=[stage1]"],
    ["scheme=landmarks", "scheme/views=sample", "recipe.initial_size=32"],
]


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize("scheme", SCHEMES, ids=" ".join)
def test_a_chain(data_directory, tmp_path, scheme):
    # the stand-in is slow, and does not know the latter
    given = [*scheme, "trainer.limit_train_batches=1", "+trainer.inference_mode=false"]
    with mps_stand_in() as seeds:
        run, _ = train(small(data_directory, tmp_path, *given, "trainer.accelerator=mps"))
    steps = {derive(0, "step", epoch, 0, 0) for epoch in range(2)}
    assert steps <= set(seeds)
    if any(word.endswith("=image") for word in scheme):
        clusters = json.loads((run / "predictor" / "phase.json").read_text())["clusters"]
        assert all(0 < sum(entry["areas"]) <= 1 for entry in clusters)
    if "recipe.crop=40" in scheme:  # its clusters are found by faiss on the CPU: nothing differs but where it lies
        alone, _ = train(small(data_directory, tmp_path / "cpu", *given))
        found, expected = (pq.read_table(of / "predictions" / "synthetic.parquet") for of in (run, alone))
        assert found.equals(expected)


def test_what_the_device_refuses():
    with mps_stand_in():
        there = torch.ones(2, 3, device=MPS)
        assert isinstance(there, OnMPS)
        assert there.device == MPS
        for make in (
            there.double,
            lambda: there.to(torch.float64),
            lambda: torch.zeros(2, device=MPS, dtype=torch.float64),
            lambda: torch.zeros(2, dtype=torch.float64).to(MPS),
            lambda: torch.tensor([1.0], device=MPS, dtype=torch.float64),
            lambda: there.sum(dtype=torch.float64),
        ):
            with pytest.raises(TypeError, match="float64"):
                make()
        with pytest.raises(RuntimeError, match="same device"):
            there + torch.ones(3)
        assert there.cpu().double().sum() == 6
