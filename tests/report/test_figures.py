import matplotlib.image
import numpy as np
import torch

from fer_perturb.perturb.views import all_views
from fer_perturb.report.figures import confusion_figure, save_figure, scheme_figure


def test_a_picture_of_the_scheme(tmp_path):
    images, labels = torch.rand(2, 1, 20, 24), torch.arange(480).view(20, 24) % 3 - 1
    views = all_views(images, labels, 2, 0.0)
    figure = scheme_figure(images[:, 0], torch.rand(2, 20, 24), labels.expand(2, -1, -1), views[:, :, 0], ["a", "b"])
    save_figure(figure, tmp_path / "scheme.png")
    picture = matplotlib.image.imread(tmp_path / "scheme.png")
    assert picture.shape[0] > 200
    assert picture.std() > 0.1
    assert [axis.get_title() for axis in figure.axes[:6]] == [
        "input", "attention", "clusters", "without 1", "without 2", "whole",
    ]  # fmt: skip


def test_a_confusion_matrix_shows_shares_of_the_true_class(tmp_path):
    figure = confusion_figure(np.array([[3, 1], [0, 0]]), ("calm", "tense"))
    save_figure(figure, tmp_path / "confusion.png")
    assert [text.get_text() for text in figure.axes[0].texts] == [
        "75",
        "25",
        "-",
        "-",
    ]  # of a class without images there are none
