"""One step in every precision, compiled by XLA or not, on one device and on two."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_a_step_is_the_same_in_all_ways_to_take_it_and_front_ends_stay_float32():
    script = Path(__file__).with_name("programs") / "steps.py"
    said = subprocess.run([sys.executable, script], check=True, stdout=subprocess.PIPE, text=True).stdout
    steps = {
        tuple(key): taken
        for key, taken in (json.loads(row[5:]) for row in said.splitlines() if row.startswith("STEP "))
    }
    assert len(steps) == 3 * 2 * 2
    plain = steps["float32", "off", "none"]
    assert plain["step"] > 1e-3
    for (precision, _, _), taken in steps.items():
        assert taken["front_end"] == "float32 float32"
        assert taken["network"] == precision.removeprefix("mixed_")
        tolerance = 1e-5 if precision == "float32" else 5e-2
        assert taken["loss"] == pytest.approx(plain["loss"], rel=tolerance)
        assert taken["step"] == pytest.approx(plain["step"], rel=tolerance)
