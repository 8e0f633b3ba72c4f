"""Which machines train together: what the environment says of them, and what it gets wrong."""

import json

import pytest

from tfspec.base.errors import UserError
from tfspec.distributed.devices import open_strategy

TWO = {"cluster": {"worker": ["localhost:1", "localhost:2"]}}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("foo", "cannot be read: Expecting value"),
        ("[1]", "cannot be read"),
        ('{"cluster": 3}', "cannot be read"),
        (json.dumps(TWO), "must also specify `task_type`"),
        (json.dumps({**TWO, "task": {"type": "worker", "index": 2}}), "2 exceeds the maximum id"),
        (json.dumps({**TWO, "task": {"type": "boss", "index": 0}}), "boss"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_told_with_one_that_could(monkeypatch, given, said):
    monkeypatch.setenv("TF_CONFIG", given)
    with pytest.raises(UserError, match=said) as error:
        open_strategy("auto")
    assert '"task": {"type": "worker", "index": NUMBER}' in str(error.value)
