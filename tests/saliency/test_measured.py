"""What was measured is found again as it was; what is damaged is said."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from generated_saliency import generated

from fer_perturb.errors import UserError
from fer_perturb.saliency.measured import FACES, MAPS, TOLD, interval_of, plain, read_measured, write_measured
from fer_perturb.saliency.resampling import Interval


def test_it_is_found_again(tmp_path: Path) -> None:
    wrote = generated({"mouth": 2.0}, clusters=0.5)
    files = write_measured(wrote, tmp_path)
    assert [file.name for file in files] == [TOLD, FACES, MAPS]
    read = read_measured(tmp_path)
    assert read.about == wrote.about
    assert read.told == wrote.told
    pd.testing.assert_frame_equal(read.faces, wrote.faces)
    assert {name: of.shape for name, of in read.maps.items()} == {name: of.shape for name, of in wrote.maps.items()}
    assert read.methods == wrote.methods
    for method in read.methods:
        np.testing.assert_array_equal(read.shares(method)[0], wrote.shares(method)[0])


@pytest.mark.parametrize("name", [TOLD, FACES, MAPS])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_what_is_damaged_is_said(tmp_path: Path, name: str, damage: str) -> None:
    write_measured(generated({}), tmp_path)
    file = tmp_path / name
    file.write_bytes(file.read_bytes()[:100]) if damage == "cut" else file.unlink()
    with pytest.raises(UserError, match=r"cannot be read .* the same command writes it anew"):
        read_measured(tmp_path)


def test_json_has_no_nan() -> None:
    nothing = Interval(np.nan, np.nan, np.nan)
    assert plain(nothing) == {"value": None, "low": None, "high": None}
    assert np.isnan(interval_of(plain(nothing)).value)
    assert interval_of(plain(Interval(1.0, 0.5, 2.0))) == Interval(1.0, 0.5, 2.0)
