import pytest
import torch

from fer_perturb.data.augmentation.mixup import mix_pairs


def test_each_version_is_mixed_with_its_like():
    torch.manual_seed(0)
    images = torch.rand(3, 5, 1, 4, 6)
    mixed, share = mix_pairs(images, 0.4)
    for version in range(3):
        for row in range(5):
            expected = share * images[version, row] + (1 - share) * images[version, 4 - row]
            torch.testing.assert_close(mixed[version, row], expected)
    assert 0 < share < 1


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_shares_are_drawn_from_the_beta_distribution(alpha):
    torch.manual_seed(0)
    shares = torch.stack([mix_pairs(torch.zeros(1, 1, 1, 1, 1), alpha)[1] for _ in range(4000)])
    assert shares.mean() == pytest.approx(0.5, abs=0.03)
    assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.06)


def test_the_random_stream_decides():
    images = torch.rand(1, 4, 1, 3, 3)
    mixed = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        mixed.append(mix_pairs(images, 0.2)[0])
    assert torch.equal(mixed[0], mixed[1])
    assert not torch.equal(mixed[0], mixed[2])
